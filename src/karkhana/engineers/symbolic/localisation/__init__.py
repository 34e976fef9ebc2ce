"""Where is the fault? Suspicious functions and lines, each with its reasons, and the tests that tell."""
