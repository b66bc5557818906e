import { clerkMiddleware } from "@clerk/nextjs/server";
import { createVerifier } from "doorward";
import { inFront } from "doorward/next";

const verifier = createVerifier({
  publishableKey: process.env.NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY!,
  authorizedParties: process.env.AUTHORIZED_PARTIES!.split(","),
});

export default inFront(verifier, clerkMiddleware());

export const config = {
  matcher: [
    // All but what Next.js itself and static files are asked for.
    "/((?!_next|[^?]*\\.(?:html?|css|js(?!on)|jpe?g|webp|png|gif|svg|ttf|woff2?|ico|csv|docx?|xlsx?|zip|webmanifest)).*)",
    "/(api|trpc)(.*)",
    "/__clerk/(.*)",
  ],
};
