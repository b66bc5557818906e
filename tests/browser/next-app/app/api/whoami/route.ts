import { problem } from "doorward/next";
import { verifier } from "../../../lib/verifier";

export async function GET(request: Request) {
  const check = await verifier.check(request);
  if (check.outcome !== "verified") return problem(check.error);
  return Response.json({ user: check.session.userId, key: check.session.keyId });
}
