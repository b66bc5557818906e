"""What a team would write instead: FastAPI, Beanie and python-jose, with its keys cached."""

import logging
import os
import time
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import Annotated

import httpx
import uvicorn
from beanie import Document, init_beanie
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from jose import jwt
from jose.exceptions import JWTError
from pydantic import Field
from pymongo import AsyncMongoClient

ISSUER, JWKS_URL = os.environ["ISSUER"], os.environ["JWKS_URL"]
AUTHORIZED_PARTY = os.environ["AUTHORIZED_PARTY"]
KEYS_LIVE_SECONDS = 600

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
log = logging.getLogger("peer")
logging.getLogger("httpx").setLevel(logging.WARNING)


def now() -> datetime:
    return datetime.now(timezone.utc)


class User(Document):
    id: str
    clerk_id: str
    issuer: str
    email: str | None = None
    name: str | None = None
    is_active: bool = True
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)
    last_login_at: datetime = Field(default_factory=now)

    class Settings:
        name = "users"


class Keys:
    """The issuer's keys, by `kid`."""

    def __init__(self):
        self.keys, self.fetched_at = {}, 0.0

    async def get(self, kid: str):
        if kid not in self.keys or time.monotonic() - self.fetched_at > KEYS_LIVE_SECONDS:
            async with httpx.AsyncClient() as client:
                document = (await client.get(JWKS_URL)).json()
            self.keys = {key["kid"]: key for key in document["keys"]}
            self.fetched_at = time.monotonic()
        return self.keys.get(kid)


keys = Keys()
bearer = HTTPBearer()


async def claims(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> dict:
    token = credentials.credentials
    try:
        key = await keys.get(jwt.get_unverified_header(token)["kid"])
        if key is None:
            raise JWTError("no matching key")
        options = {"verify_aud": False, "leeway": 5}
        payload = jwt.decode(token, key, algorithms=["RS256"], issuer=ISSUER, options=options)
        if payload.get("azp") != AUTHORIZED_PARTY:
            raise JWTError("wrong azp")
    except (JWTError, KeyError) as error:
        log.info("JWT verification error: %s", error)
        raise HTTPException(401, "Could not validate credentials") from error
    log.info("Clerk token verified for user: %s", payload["sub"])
    log.info("Authenticated via Authorization header (Clerk JWT)")
    return payload


async def current_user(payload: Annotated[dict, Depends(claims)]) -> User:
    user = await User.get(payload["sub"])
    if user is None:
        user = User(id=payload["sub"], clerk_id=payload["sub"], issuer=ISSUER)
        await user.insert()
        log.info("Created new user from Clerk")
    if not user.is_active:
        raise HTTPException(403, "Inactive user")
    return user


@asynccontextmanager
async def lifespan(_app: FastAPI):
    client = AsyncMongoClient(os.environ["MONGODB_URI"])
    await init_beanie(database=client[os.environ["MONGODB_DB_NAME"]], document_models=[User])
    yield
    await client.close()


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.get("/api/auth/me", response_model=User)
async def me(user: Annotated[User, Depends(current_user)]):
    return user


class Announcing(uvicorn.Server):
    """Prints its address once it listens."""

    async def startup(self, sockets=None):
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        print(f"http://127.0.0.1:{port}", flush=True)


if __name__ == "__main__":
    Announcing(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", access_log=False)).run()
