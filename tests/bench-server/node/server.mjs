// What a team would write instead: Express, jose and the MongoDB driver.
import express from "express";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { MongoClient } from "mongodb";

const { ISSUER, JWKS_URL, AUTHORIZED_PARTY, MONGODB_URI, MONGODB_DB_NAME } = process.env;

const keys = createRemoteJWKSet(new URL(JWKS_URL));
const client = new MongoClient(MONGODB_URI, { maxPoolSize: 100 });
await client.connect();
const users = client.db(MONGODB_DB_NAME).collection("users");

async function authenticate(request, response, next) {
  const [scheme, token] = (request.get("authorization") ?? "").split(" ");
  if (scheme !== "Bearer" || !token) return response.status(401).json({ detail: "Not authenticated" });
  try {
    const { payload } = await jwtVerify(token, keys, { issuer: ISSUER, algorithms: ["RS256"], clockTolerance: 5 });
    if (payload.azp !== AUTHORIZED_PARTY) throw new Error("wrong azp");
    console.error(`Clerk token verified for user: ${payload.sub}`);
    console.error("Authenticated via Authorization header (Clerk JWT)");
    request.claims = payload;
    next();
  } catch (error) {
    console.error(`JWT verification error: ${error.message}`);
    response.status(401).json({ detail: "Could not validate credentials" });
  }
}

async function findOrCreate(id) {
  const user = await users.findOne({ _id: id });
  if (user) return user;
  const now = new Date();
  const made = { _id: id, clerk_id: id, issuer: ISSUER, is_active: true, created_at: now, updated_at: now, last_login_at: now };
  await users.updateOne({ _id: id }, { $setOnInsert: made }, { upsert: true });
  console.error("Created new user from Clerk");
  return made;
}

const app = express();
app.get("/health", (_request, response) => response.json({ status: "ok" }));
app.get("/api/auth/me", authenticate, async (request, response) => {
  const user = await findOrCreate(request.claims.sub);
  if (!user.is_active) return response.status(403).json({ detail: "Inactive user" });
  response.json({
    id: user._id,
    clerk_id: user.clerk_id,
    email: user.email ?? null,
    name: user.name ?? null,
    is_active: user.is_active,
    created_at: user.created_at,
    updated_at: user.updated_at,
    last_login_at: user.last_login_at,
  });
});

const server = app.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
