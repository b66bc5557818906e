// What a program in TypeScript writes, and what must not compile in one.
import { createVerifier, SettingsError, VerifyError, type Check, type Session, type VerifierSettings } from "doorward";
import { inFront, inside, instead, problem } from "doorward/next";
import { createVerifier as createScalar } from "doorward/scalar";
import { createTestIssuer } from "doorward/testing";

const settings: VerifierSettings = { publishableKey: "pk_test_x", authorizedParties: ["https://app.example.com"], missingAzp: "allow" };
const verifier = createVerifier(settings);
createScalar({ issuer: "https://clerk.example.com", authorizedParties: "any party", keys: { keys: [] } });

export async function used(token: string, request: Request): Promise<string> {
  const session: Session = await verifier.verify(token, { now: Date.now() });
  const role: string | null = session.organization?.role ?? null;
  const allowed: boolean = session.has({ permission: "org:a:b", reverification: { level: "first_factor", afterMinutes: 5 } });
  const custom: unknown = session.claims["custom"];
  const { claims, ...copy } = session.toJSON();
  const check: Check = await verifier.check(request, { waitUntil: (work) => void work });
  switch (check.outcome) {
    case "verified":
      return check.session.userId;
    case "unavailable":
      return `${check.retryAfter} ${check.error.kind}`;
    default:
      return `${check.error.code} ${check.error.hint} ${role} ${allowed} ${custom} ${claims.sub} ${copy.userId}`;
  }
}

export function told(error: unknown): Response {
  if (error instanceof VerifyError) return problem(error);
  throw error instanceof SettingsError ? error : new Error("neither");
}

export const front = inFront(verifier, (request: Request) => new Response(request.url), { machineTokens: "pass" });
export const within = inside(verifier, (_auth: unknown, _request: Request, _event: unknown, check) => new Response(check.outcome));
export const alone: (request: Request, event: unknown) => Promise<Response | undefined> = instead(verifier);
export const minted: Promise<string> = createTestIssuer().then((issuer) => issuer.token({ userId: "user_ada" }));

// @ts-expect-error whom to trust is said
createVerifier({ publishableKey: "pk_test_x" });
// @ts-expect-error one instance, not two
createVerifier({ publishableKey: "pk_test_x", issuer: "https://clerk.example.com", authorizedParties: [] });
// @ts-expect-error a setting that is none
createVerifier({ publishableKey: "pk_test_x", authorizedParties: [], authorisedParties: [] });
// @ts-expect-error a token is text
void verifier.verify(undefined);
// @ts-expect-error a session is read, not written
(verifier.verifySync("x")).userId = "user_eve";
