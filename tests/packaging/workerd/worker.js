import { createVerifier } from "doorward";
import { runVectors } from "./run-vectors.mjs";

export default {
  async fetch(request) {
    const signature = new URL(request.url).searchParams.get("signature") ?? undefined;
    return Response.json(await runVectors(createVerifier, [await request.json()], signature));
  },
};
