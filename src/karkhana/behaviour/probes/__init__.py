"""Programs that run inside the sandbox, with the interpreter of the repository under study.

They import nothing but the standard library, pytest and coverage, and know nothing of the package around
them: the folder is bound read-only to ``/opt/karkhana/probes``. Each is started as
``python /opt/karkhana/probes/run.py NAME``, reads one JSON job from standard input and writes JSON lines.
They keep to the syntax of Python 3.9.
"""
