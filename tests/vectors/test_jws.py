"""Our verification of signatures against the public vectors: Wycheproof's and RFC 7520's. Whoever
made them tests libraries that know every algorithm; ours knows RS256 alone, so what is valid by any
other must be refused here, and so must keys that our bounds leave out."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("JWS_CASES", ROOT / "build/tests/jws_cases"))
VECTORS = Path(os.environ.get("VECTORS", ROOT / "../shared/vectors"))
WYCHEPROOF = VECTORS / "wycheproof"
COOKBOOK = VECTORS / "jose/jws/4_1.rsa_v15_signature.json"

Case = dict[str, Any]
# The bounds of common/auth/jwks.h.
EXPONENT_MIN = 65537


def judge(cases: list[Case]) -> list[dict[str, str]]:
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run(
        [PROGRAM], input=lines.encode(), capture_output=True, check=True, timeout=300
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases)
    return answers


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def document(*keys: Case) -> str:
    return json.dumps({"keys": keys})


def groups(file: str) -> list[Case]:
    found: list[Case] = json.loads((WYCHEPROOF / file).read_text())["testGroups"]
    return found


def is_ours(key: Case) -> bool:
    """Whether the key may verify RS256, by what it says of itself."""
    return (
        key["kty"] == "RSA"
        and key.get("alg", "RS256") == "RS256"
        and key.get("use", "sig") == "sig"
        and "verify" in key.get("key_ops", ["verify"])
    )


def test_wycheproof_tokens() -> None:
    """All 401 cases: valid where they are, and RS256 is what they are signed with."""
    cases, wanted = [], []
    for group in groups("json_web_signature_test.json"):
        key = group.get("public") or group["private"]
        for test in group["tests"]:
            token = test["jws"] if isinstance(test["jws"], str) else json.dumps(test["jws"])
            cases.append({"keys": document(key), "token": token})
            wanted.append((test["tcId"], is_ours(key) and test["result"] == "valid"))
    answers = judge(cases)
    got = [
        (number, answer["result"] == "ok")
        for (number, _), answer in zip(wanted, answers, strict=True)
    ]
    assert got == wanted
    assert len(wanted) == 401
    assert sum(valid for _, valid in wanted) == 8


def test_wycheproof_beside_our_key() -> None:
    """Every case again, with a good RS256 key of another kid beside the group's own: whatever a
    token claims, that key does not let it in."""
    [ours] = [
        group["public"]
        for group in groups("json_web_signature_test.json")
        if group.get("public", {}).get("kid") == "RS256_2048"
    ]
    cases, wanted = [], []
    for group in groups("json_web_signature_test.json"):
        key = group.get("public") or group["private"]
        if key.get("kid") == ours["kid"]:
            continue
        for test in group["tests"]:
            token = test["jws"] if isinstance(test["jws"], str) else json.dumps(test["jws"])
            cases.append({"keys": document(ours, key), "token": token})
            wanted.append(is_ours(key) and test["result"] == "valid")
    assert [answer["result"] == "ok" for answer in judge(cases)] == wanted
    assert sum(wanted) == 3


def test_wycheproof_signatures() -> None:
    """PKCS #1 v1.5 with SHA-256: every case of a key within our bounds; "acceptable" (a missing
    NULL) is refused like the invalid ones."""
    cases, wanted, small = [], [], 0
    for group in groups("rsa_signature_2048_sha256_test.json"):
        key = {**group["keyJwk"], "kid": "k"}
        exponent = int.from_bytes(base64.urlsafe_b64decode(key["e"] + "=="), "big")
        for test in group["tests"]:
            cases.append(
                {
                    "keys": document(key),
                    "kid": "k",
                    "text": base64url(bytes.fromhex(test["msg"])),
                    "signature": base64url(bytes.fromhex(test["sig"])),
                }
            )
            small += exponent < EXPONENT_MIN
            verdict = "ok" if test["result"] == "valid" else "token_signature"
            wanted.append((test["tcId"], "keys" if exponent < EXPONENT_MIN else verdict))
    got = [
        (number, answer["result"]) for (number, _), answer in zip(wanted, judge(cases), strict=True)
    ]
    assert got == wanted
    assert (len(wanted), small) == (259, 2)


def test_rfc_7520() -> None:
    """Section 4.1, with the public half of its key; its private half makes the key unusable."""
    example = json.loads(COOKBOOK.read_text())
    key, token = example["input"]["key"], example["output"]["compact"]
    public = {name: key[name] for name in ("kty", "kid", "use", "n", "e")}
    header, payload, signature = token.split(".")
    answers = judge(
        [
            {"keys": document(public), "token": token},
            {"keys": document(key), "token": token},
            {"keys": document(public), "token": f"{header}.{payload}x.{signature}"},
            {"keys": document({**public, "kid": "other"}), "token": token},
            {"keys": document(public), "token": json.dumps(example["output"]["json"])},
        ]
    )
    assert [answer["result"] for answer in answers] == [
        "ok",
        "keys",
        "token_signature",
        "token_unknown_key",
        "token_malformed",
    ]


@pytest.mark.parametrize("name", ["json_web_signature_test", "rsa_signature_2048_sha256_test"])
def test_the_vectors_are_whole(name: str) -> None:
    data = json.loads((WYCHEPROOF / f"{name}.json").read_text())
    assert sum(len(group["tests"]) for group in data["testGroups"]) == data["numberOfTests"]
