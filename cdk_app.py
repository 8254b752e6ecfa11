#!/usr/bin/env python3
"""Entry of the CDK app. `cdk synth`, or `python3 cdk_app.py` alone, writes the templates of the
whole system; docs/deployment.md is the runbook, infra/options.py lists what may be chosen."""

import os
import sys

# Node.js 20 is past its end of life, but it writes the same templates as 22 does.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")

from infra.app import make_app
from infra.options import OptionsError


def main() -> int:
    try:
        make_app().synth()
    except OptionsError as error:
        print(f"cdk_app.py: the context (-c KEY=VALUE) is invalid:\n{error}", file=sys.stderr)
        return os.EX_CONFIG
    return 0


if __name__ == "__main__":
    sys.exit(main())
