"""Gate ``public_api``: does the change break callers elsewhere?

Compares the public names of the changed public modules before and after: removed functions, classes, methods
and constants, and parameters that are gone, renamed, reordered, newly required or no longer positional. What
counts as public follows PEP 8 and the typing specification: no leading underscore, or named in ``__all__``.

Knows nothing of behaviour behind an unchanged signature, nor of languages other than Python.
"""

from karkhana.domain.evidence import Finding, GateResult, GateStatus
from karkhana.ports import GateContext
from karkhana.quality import interfaces, paths
from karkhana.quality.gates.wording import plural, some
from karkhana.syntax import Unparsable

NAME = "public_api"


class PublicApi:
    """Finds incompatible changes of public signatures."""

    name = NAME

    def check(self, context: GateContext) -> GateResult:
        modules = [p for p in context.change.paths if paths.is_public_module(p) and context.contents[p][0] is not None]
        findings: list[Finding] = []
        unparsed: list[str] = []
        for path in modules:
            before, after = context.contents[path]
            try:
                found = interfaces.breaks(before or b"", after)
            except Unparsable:
                unparsed.append(path)
                continue
            findings += [
                Finding(rule="public_api:incompatible", message=b.message, path=path, line=b.line) for b in found
            ]
        return GateResult(
            gate=NAME,
            status=_status(findings, unparsed),
            summary=_summary(modules, findings, unparsed),
            measures={"modules": float(len(modules)), "incompatible": float(len(findings))},
            findings=tuple(findings),
        )


def _status(findings: list[Finding], unparsed: list[str]) -> GateStatus:
    if findings:
        return GateStatus.FAILED
    return GateStatus.UNKNOWN if unparsed else GateStatus.PASSED


def _summary(modules: list[str], findings: list[Finding], unparsed: list[str]) -> str:
    if findings:
        text = f"{plural(len(findings), 'incompatible change')}: {some([f.message for f in findings])}"
    elif not modules:
        text = "no public Python module changed"
    else:
        text = f"the public interface of {plural(len(modules), 'module')} is compatible"
    return text + (f"; not parsable: {some(unparsed)}" if unparsed else "")
