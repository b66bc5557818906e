import { headers } from "next/headers";
import { verifier } from "../lib/verifier";

/** A page for everybody, which says who is there. It verifies again: nothing is handed on by the middleware. */
export default async function Home() {
  const check = await verifier.check({ method: "GET", url: "/", headers: await headers() });
  return (
    <main>
      <h1>Orders</h1>
      <p id="who" data-outcome={check.outcome}>
        {check.outcome === "verified" && `Signed in as ${check.session.userId}.`}
        {check.outcome === "unavailable" && "Nobody can tell now whether you are signed in."}
        {check.outcome !== "verified" && check.outcome !== "unavailable" && "You are signed out."}
      </p>
    </main>
  );
}
