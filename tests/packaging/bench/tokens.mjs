/** Tokens to measure with. */

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** More tokens than a cache of theirs or ours holds, in the shape of Clerk's, of an instance with organizations. */
export function tokens() {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const kid = "ins_2abcdefghijklmnopqrstuvwxyz1";
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" };
  const [issuer, party] = ["https://clerk.example.com", "https://app.example.com"];
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const token = (number) => {
    const payload = {
      azp: party,
      exp: now + 3500,
      fea: "o:invoices,o:reports,u:beta",
      fva: [3, -1],
      iat: now,
      iss: issuer,
      jti: randomBytes(10).toString("hex"),
      nbf: now - 10,
      o: { fpm: "3,1", id: "org_2abcdefghijklmnopqrstuvwxyz1", per: "read,write", rol: "admin", slg: "acme-inc" },
      pla: "o:pro,u:free",
      sid: `sess_2abcdefghijklmnopqrstuvwx${number}`,
      sts: "active",
      sub: "user_2abcdefghijklmnopqrstuvwxyz1",
      v: 2,
    };
    const input = `${part({ alg: "RS256", cat: "cl_B7d4PD111AAA", kid, typ: "JWT" })}.${part(payload)}`;
    return `${input}.${sign("RSA-SHA256", Buffer.from(input), privateKey).toString("base64url")}`;
  };
  const made = Array.from({ length: 3000 }, (_, number) => token(number));
  const at = made[0].lastIndexOf(".") + 20;
  const forged = made[0].slice(0, at) + (made[0][at] === "A" ? "B" : "A") + made[0].slice(at + 1);
  return { issuer, party, jwk, pem: publicKey.export({ format: "pem", type: "spki" }), tokens: made, forged };
}
