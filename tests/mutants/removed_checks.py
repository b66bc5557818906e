"""`removed_checks.py FOLDER`: checks that are taken out of the engine by hand, each noticed by the vectors in wasm.

In a copy of the tree in FOLDER, the module is built with one check less, and put among the npm package's JavaScript. The family
that is about the check must then fail, in Node, with our own RSA.
"""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys

# What is no longer checked, the family that is about it, the file, and the change.
REMOVED = [
    ("the size of a token", "shape", "token.rs", "_ if text.len() > MAX_TOKEN_BYTES =>", "_ if text.len() > 100 * MAX_TOKEN_BYTES =>"),
    ("bits left over in base64url", "shape", "base64url.rs", "bytes.all(|byte| byte == 0)", "bytes.all(|_| true)"),
    ("a member twice", "json_documents", "json.rs", "if twice {", "if twice && at > 999_999 {"),
    ("the depth of JSON", "json_documents", "json.rs", "Reach::Depth(most) if depth > most =>", "Reach::Depth(most) if depth > 99 + most =>"),
    ("`typ`", "header", "verifier.rs", "_ => Err(VerifyError::WrongTyp),", "_ => Ok(()),"),
    ("`crit`", "header", "verifier.rs", "if header.has_crit {", "if header.has_crit && header.kid.is_none() {"),
    ("that `alg` is one of the policy's", "confusion", "verifier.rs", "taken.copied().ok_or_else(||", "taken.or(Some(&Algorithm::Rs256)).copied().ok_or_else(||"),
    ("`iss`", "issuer", "claims.rs", "find(|ours| iss.is(ours.as_str()))", "find(|ours| iss.is(ours.as_str()) || true)"),
    ("that a key is for one algorithm", "keys", "key_set.rs", "if named != self.algorithm {", "if named != self.algorithm && message.is_empty() {"),
    ("two keys of one name", "keys", "jwks.rs", "filter(|name| *name == kid).count() > 1", "filter(|name| *name == kid).count() > 99"),
    ("private members of a JWK", "keys", "jwks.rs", "if self.is_private {", "if self.is_private && document.is_empty() {"),
    ("that nothing follows a key in DER", "key_material", "pem.rs", "if self.bytes.is_empty() { Ok(()) }", "if self.bytes.len() < 999 { Ok(()) }"),
    ("the signature", "signature", "key_set.rs", "if self.rsa.verify(self.algorithm, message, signature) {", "if self.rsa.verify(self.algorithm, message, signature) || true {"),
    ("that a signature is less than the modulus", "signature", "rsa.rs", "|| *signature >= *self.modulus", ""),
    ("that the signature is judged before the claims", "order", "verifier.rs", "        key.check(token.algorithm", "        self.judge_unverified(token, now)?;\n        key.check(token.algorithm"),
    ("`sub`", "claims", "claims.rs", "owned(Some(sub)).filter(is_user)", "owned(Some(sub)).filter(|id| is_user(id) || true)"),
    ("that `sid` is there", "claims", "claims.rs", "if template_taken { Ok(None) } else { Err(VerifyError::MissingSid) }", "if template_taken || true { Ok(None) } else { Err(VerifyError::MissingSid) }"),
    ("`sts`", "claims", "claims.rs", "Some(status) if status.is(\"pending\") && policy.accept_pending => Ok(true)", "Some(status) if status.is(\"pending\") => Ok(true)"),
    ("`aud`", "audience", "claims.rs", "if names_us { Ok(()) }", "if names_us || true { Ok(()) }"),
    ("`azp`", "parties", "claims.rs", "if AuthorizedParties::include(&policy.parties, &azp) {", "if AuthorizedParties::include(&policy.parties, &azp) || true {"),
    ("the anchor of a pattern", "parties", "policy.rs", "middle.bytes().all(is_label_byte)", "middle.is_ascii()"),
    ("`exp`", "times", "claims.rs", "if now.minus(policy.clock_skew) >= expires_at {", "if now.minus(policy.clock_skew) >= expires_at && expires_at == UnixTime::default() {"),
    ("the life of a token", "times", "claims.rs", "if lifetime > MAX_LIFETIME {", "if lifetime > 99 * MAX_LIFETIME {"),
    ("the second reading of permission masks", "principals", "permissions.rs", "if counted && positional {", "if counted {"),
    ("that a requirement asks for something", "has", "principal.rs", "checks.iter().any(Option::is_some) &&", "true &&"),
    ("that a session is not older than the client", "requests", "request/check.rs", "        if is_older_than_client {", "        if is_older_than_client && write_from.is_some() {"),
    ("the `Origin` of a write", "requests", "request/check.rs", "if write_from.is_none_or(may_write) {", "if write_from.is_none_or(may_write) || true {"),
]

TARGET = "wasm32-unknown-unknown"



def copy_of_tree(folder):
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    for name in filter(None, files.split("\0")):
        if pathlib.Path(name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            # As new: what an earlier run built last lacks a check, and is not newer.
            shutil.copy(name, folder / name)


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.target = pathlib.Path(os.environ["CARGO_TARGET_DIR"])
        self.modules = folder / "modules"
        self.modules.mkdir()
        (self.modules / "package.json").write_text('{ "type": "module" }\n')

    def build(self):
        """Builds the module of the copy, quickly. Gives back what went wrong."""
        built = self.target / "removed-checks"
        cargo = ["cargo", "build", "--quiet", "--locked", "-p", "doorward-wasm", "--target", TARGET, "--target-dir", str(built)]
        done = subprocess.run(cargo, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return done.stderr
        bindgen = self.target / "bindgen/debug/doorward-bindgen"
        subprocess.run([bindgen, built / TARGET / "debug/doorward_wasm.wasm", self.modules], check=True)
        # After the glue, whose own entry has the name of a script of ours.
        for scripts in ("verifier-wasm/js", "verifier-wasm/js/entry"):
            for script in pathlib.Path(scripts).glob("*.js"):
                shutil.copy2(script, self.modules)
        # Where the package has its module in Node: as text.
        text = base64.b64encode((self.modules / "engine_bg.wasm").read_bytes()).decode()
        (self.modules / "engine_base64.js").write_text(f'export const base64 = "{text}";\n')
        return None

    def verdict(self, *families):
        """How many vectors of these families passed and failed, or of all where none is named; or what went wrong."""
        command = ["node", "tests/mutants/families.mjs", str(self.modules), "tests/vectors", *families]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr


def main():
    folder = pathlib.Path(sys.argv[1])
    copy_of_tree(folder)
    bench = Bench(folder)
    whole = bench.build() or bench.verdict()
    if not isinstance(whole, dict) or whole["failed"] > 0 or whole["passed"] == 0:
        print(f"the vectors fail without any change: {whole}")
        print("0 passed, 1 failed")
        return 1
    print(f"with every check: {whole['passed']} vectors passed")
    print("| without | vectors of | that notice it |")
    print("|---|---|---|")
    passed = failed = 0
    for what, family, name, old, new in REMOVED:
        path = folder / "shared/src" / name
        text = path.read_text()
        if text.count(old) == 1:
            path.write_text(text.replace(old, new))
            verdict = bench.build() or bench.verdict(family)
            path.write_text(text)
        else:
            verdict = f"{text.count(old)} places in {name} fit"
        # A module that does not build, or that traps outside of a vector, shows nothing.
        noticed = isinstance(verdict, dict) and verdict["failed"] > 0
        passed, failed = passed + noticed, failed + (not noticed)
        shown = f"{verdict['failed']} of {verdict['passed'] + verdict['failed']}" if noticed else f"NONE: {verdict}"
        print(f"| {what} | `{family}` | {shown} |", flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
