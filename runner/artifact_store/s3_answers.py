"""What S3 said, or did not: read from what obstore says of it, which is text only, and told without anything secret.

An error of obstore's has the request, the status and the answer's body in its first lines, and then what was below
them as Rust prints it. A body may quote a token, an address may have one in its query: neither is told.
"""

from __future__ import annotations

import re

from runner.artifact_store.bucket import (
    BUCKET,
    DENIED,
    EXISTS,
    LOGIN,
    MISSING,
    OTHER,
    PASSING,
    TRANSIENT,
    UNREACHABLE,
    Trouble,
)

_LOGIN = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "AuthFailure",
    "UnrecognizedClientException",
}
_PASSING = {
    "SlowDown",
    "RequestTimeout",
    "InternalError",
    "ServiceUnavailable",
    "OperationAborted",
    "Throttling",
    "ConditionalRequestConflict",
}
_LOCATION = "aws s3api get-bucket-location"
_PROVIDER = "External AWS credential provider: "
_ASKED = re.compile(r"Error performing [A-Z]+ (\S+)")
_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_NOT_REMOVED = re.compile(r"DeleteObjects request failed for key .*: (.*) \(code: (\w+)\)", re.DOTALL)
_REASON = re.compile(r'(?:message|error): "((?:[^"\\]|\\.)*)"')
_CERTIFICATE = re.compile(r"InvalidCertificate\(\s*(?:Other\(\s*OtherError\(\s*)?(\w+)")
_TLS = re.compile(r"kind: InvalidData,\s*error: (\w+)")


def meant(error: Exception, endpoint: str) -> Trouble:
    """What an error of obstore's means, of a store whose requests go to `endpoint`."""
    said, _, below = str(error).partition("\n\nDebug source:")
    if _PROVIDER in said:
        return Trouble(LOGIN, said.partition(_PROVIDER)[2])
    if "redirect without LOCATION" in said:
        return Trouble(OTHER, f"the bucket is in another region: write it as `region` ({_LOCATION} tells)")
    asked = _ASKED.search(said)
    trouble = _answer(said) or _network(below) or Trouble(OTHER, _plain(said))
    if asked is None or _host(asked[1]) == _host(endpoint):
        return trouble
    kind = trouble.kind if trouble.kind in (TRANSIENT, UNREACHABLE) else LOGIN
    who = _host(asked[1]) or "Amazon's token service"  # whose address is not told
    return Trouble(kind, f"{who} gives no credentials: {trouble.words}")


def _answer(said: str) -> Trouble | None:
    """What the service answered. An answer to HEAD has a status only."""
    status = int(found[1]) if (found := _STATUS.search(said)) else 0
    code, words = _element(said, "Code"), _element(said, "Message")
    if found := _NOT_REMOVED.search(said):
        words, code = found.groups()
    if not (status or code):
        return None
    told = f"{code}: {words}" if words and words != code else code
    if code == "AuthorizationHeaderMalformed" and (region := _element(said, "Region")):
        return Trouble(OTHER, f"the bucket is in region '{region}': write it as `region` ({told})")
    return Trouble(_kind(status, code), f"{status} {told}".strip() if status in PASSING or not told else told)


def _kind(status: int, code: str) -> str:
    if code == "NoSuchBucket":
        return BUCKET
    if code == "NoSuchKey" or (status == 404 and not code):
        return MISSING
    if status == 412 or code == "PreconditionFailed":
        return EXISTS
    if code in _LOGIN or status == 401:
        return LOGIN
    if status in PASSING or code in _PASSING:
        return TRANSIENT
    return DENIED if status == 403 or code == "AccessDenied" else OTHER


def _network(below: str) -> Trouble | None:
    """What failed below the protocol: names, connections, certificates, time."""
    if "HttpError {" not in below:
        return None
    if found := _CERTIFICATE.search(below):
        return Trouble(OTHER, f"its certificate is not trusted: {found[1]}")
    if found := _TLS.search(below):
        return Trouble(OTHER, f"https:// does not work with it: {found[1]}")
    if "kind: Builder" in below:
        return Trouble(OTHER, "its address is none that may be asked: https:// is needed")
    reasons = _REASON.findall(below)
    words = reasons[-1] if reasons else "no answer in time" if "TimedOut" in below else "the connection broke"
    return Trouble(UNREACHABLE if re.search(r"legacy::Error\(\s*Connect,", below) else TRANSIENT, words)


def _element(said: str, name: str) -> str:
    found = re.search(f"<{name}>([^<]*)</{name}>", said)
    words = found[1].strip() if found else ""
    for escaped, plain in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        words = words.replace(escaped, plain)
    return words


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]


def _plain(said: str) -> str:
    return re.sub(r"\?\S*", "", said.partition("\n")[0])
