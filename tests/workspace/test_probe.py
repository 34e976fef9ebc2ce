from pathlib import Path

from abuse_support import SMALL

from karkhana.workspace import probe as module
from karkhana.workspace.probe import broken, probe

STATUS = ["Name:\tcat", "Uid:\t1000\t1000\t1000\t1000", "NoNewPrivs:\t1", "Seccomp:\t2"]
STATUS += [f"Cap{kind}:\t0000000000000000" for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")]
NETWORK = ["Inter-| Receive", " face |bytes", "    lo:       0       0"]


def test_it_works_here(home: Path) -> None:
    report = probe(home, SMALL)
    assert report.working, report
    assert report.problem == ""
    assert "bwrap" in report.bubblewrap
    assert report.start_s > 0


def test_each_missing_protection_is_noticed() -> None:
    assert broken(STATUS, NETWORK) == ()

    def without(line: str, instead: str) -> list[str]:
        assert line in STATUS
        return [instead if line == one else one for one in STATUS]

    assert broken(without("Seccomp:\t2", "Seccomp:\t0"), NETWORK) == ("system calls are not filtered",)
    assert broken(without("NoNewPrivs:\t1", "NoNewPrivs:\t0"), NETWORK) == ("privileges can be gained",)
    assert broken(without("CapEff:\t0000000000000000", "CapEff:\t0000000000000001"), NETWORK)
    assert broken(without("Uid:\t1000\t1000\t1000\t1000", "Uid:\t0\t0\t0\t0"), NETWORK) == ("commands run as root",)
    assert broken(STATUS, [*NETWORK, "  eth0: 5 5"]) == ("the network is reachable",)
    assert len(broken([], [])) == 5


def test_a_host_that_cannot_is_reported_not_raised(tmp_path: Path) -> None:
    (tmp_path / "programs").write_text("in the way")
    report = probe(tmp_path)
    assert not report.working
    assert report.problem
    assert module.SandboxReport(working=False).missing == ()
