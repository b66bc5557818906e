"""The issuer: pinned, compared whole, and what picks the key set."""

import forge
from families.base import *
from families.header import not_text


def family():
    f = Family("issuer", "`iss`: one of the policy's issuers, byte for byte, before any key is looked for.")
    why = "`iss` is compared whole"
    f.token("absent", "a token that names no issuer", token(body=claims(iss=ABSENT)), "missing-iss")
    f.token("absent-forged", "said before the signature is looked at", token(body=claims(iss=ABSENT), by="other"), "missing-iss")
    for name, value in not_text(ISSUER).items():
        f.token(f"is-{name}", "`iss` is a string", token(body=with_member(claims(iss=ABSENT), "iss", value)), "malformed-iss", tags=["attack:23"])
    f.token("is-list-of-two", "ours among others in a list", token(body=claims(iss=[OTHER_ISSUER, ISSUER])), "malformed-iss", tags=["attack:23"])
    f.token("other-issuer-same-key", "another instance's token under a key that this instance has too", token(body=claims(iss=OTHER_ISSUER)), "wrong-iss", tags=["attack:20", "attack:40", "peer:other-issuer"])
    f.token("other-issuer-other-key", "another instance's token under its own key", token(body=claims(iss=OTHER_ISSUER), by="other"), "wrong-iss", tags=["attack:40", "attack:41"])
    f.token("other-instance-same-kid", "another instance's token whose `kid` is that of our key", forge.signed(header(), claims(iss=OTHER_ISSUER), "other"), "wrong-iss", tags=["attack:41"])
    f.token("our-iss-other-key", "our issuer, signed with another instance's key of the same name", token(by="other"), "wrong-signature", tags=["attack:41"])
    f.token("escaped", "compared after unescaping", token(body=with_member(claims(iss=ABSENT), "iss", '"' + ISSUER.replace("/", r"\/") + '"')))
    look_alikes = {
        "empty": "",
        "prefix": ISSUER[:-1],
        "host-prefix": "https://clerk.example",
        "suffix": ISSUER + "x",
        "suffix-host": ISSUER + ".attacker.example",
        "prefixed-host": "https://attacker.example/" + ISSUER,
        "subdomain": "https://x.clerk.example.com",
        "glued-subdomain": "https://xclerk.example.com",
        "parent": "https://example.com",
        "substring": "clerk",
        "no-scheme": "clerk.example.com",
        "http": "http://clerk.example.com",
        "scheme-case": "HTTPS://clerk.example.com",
        "host-case": "https://Clerk.example.com",
        "upper-case": ISSUER.upper(),
        "trailing-slash": ISSUER + "/",
        "two-slashes": ISSUER + "//",
        "path": ISSUER + "/v1",
        "query": ISSUER + "?",
        "fragment": ISSUER + "#",
        "port": ISSUER + ":443",
        "other-port": ISSUER + ":8443",
        "trailing-dot": ISSUER + ".",
        "user-info": "https://clerk.example.com@attacker.example",
        "own-user-info": "https://attacker@clerk.example.com",
        "trailing-space": ISSUER + " ",
        "leading-space": " " + ISSUER,
        "trailing-newline": ISSUER + "\n",
        "trailing-nul": ISSUER + "\0",
        "percent-encoded": "https://clerk%2Eexample.com",
        "full-width-dot": "https://clerk．example.com",
        "cyrillic": "https://сlerk.example.com",
        "punycode": "https://xn--lerk-j9d.example.com",
        "soft-hyphen": "https://cle\u00adrk.example.com",
        "backslash": "https:\\\\clerk.example.com",
        "comma-list": f"{ISSUER},{OTHER_ISSUER}",
        "space-list": f"{ISSUER} {OTHER_ISSUER}",
        "wildcard": "https://*.example.com",
        "clerk-of-somebody-else": "https://curious-cat-1.clerk.accounts.dev",
        "long": "https://" + "a" * 4000 + ".example.com",
    }
    for name, value in look_alikes.items():
        f.token(name, why, token(body=claims(iss=value)), "wrong-iss", tags=["attack:20"])
    for index, alias in enumerate(POLICIES["aliases"]["issuerAliases"]):
        f.token(f"alias-{index}", "an alias of the same instance is its issuer too", token(body=claims(iss=alias)), policy="aliases", issuer=alias)
        f.token(f"alias-{index}-not-configured", "an alias counts where it is configured", token(body=claims(iss=alias)), "wrong-iss")
        f.token(f"alias-{index}-slash", "an alias is compared whole", token(body=claims(iss=alias + "/")), "wrong-iss", policy="aliases", tags=["attack:20"])
        f.token(f"alias-{index}-other-key", "an alias brings no keys of its own", token(body=claims(iss=alias), by="other"), "wrong-signature", policy="aliases")
    f.token("main-issuer-beside-aliases", "aliases come beside the issuer", token(), policy="aliases", issuer=ISSUER)
    local = {"issuer": "http://127.0.0.1:9400", "authorizedParties": ["http://localhost:3000"]}
    f.token("loopback", "a local issuer on plain HTTP", token(body=claims(iss="http://127.0.0.1:9400", azp="http://localhost:3000")), policy=local)
    f.token("loopback-other-name", "names of loopback are not exchanged", token(body=claims(iss="http://localhost:9400", azp="http://localhost:3000")), "wrong-iss", policy=local)
    f.token("loopback-other-port", "a port is part of an issuer", token(body=claims(iss="http://127.0.0.1:9401", azp="http://localhost:3000")), "wrong-iss", policy=local)
    return f
