import type { NextRequest } from "next/server";
import { createVerifier } from "doorward";
import { runVectors } from "./run-vectors.mjs";

export default async function proxy(request: NextRequest) {
  const signature = request.nextUrl.searchParams.get("signature") ?? undefined;
  return Response.json(await runVectors(createVerifier, [await request.json()], signature));
}

export const config = { matcher: "/run" };
