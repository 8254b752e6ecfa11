"""The one test runner: suites of any kind, one set of reports, one closing line."""
