import type { NextFetchEvent, NextRequest } from "next/server";
import { inFront, instead } from "doorward/next";
import { clerkStandIn } from "./lib/clerk-stand-in";
import { verifier } from "./lib/verifier";

const api = instead(verifier);
const pages = inFront(verifier, clerkStandIn);

export default function middleware(request: NextRequest, event: NextFetchEvent) {
  return request.nextUrl.pathname.startsWith("/api/") ? api(request, event) : pages(request, event);
}

export const config = { matcher: ["/((?!_next|.*\\.(?:css|js|png|ico)$).*)"] };
