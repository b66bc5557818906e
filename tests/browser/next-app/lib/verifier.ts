import { createVerifier } from "doorward";

/** What the middleware and the handlers judge by. */
export const verifier = createVerifier({
  publishableKey: process.env.CLERK_PUBLISHABLE_KEY!,
  authorizedParties: process.env.AUTHORIZED_PARTIES!.split(","),
});
