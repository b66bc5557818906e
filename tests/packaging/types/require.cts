// The same from CommonJS, whose types are of a kind of their own.
import doorward = require("doorward");
import next = require("doorward/next");
import testing = require("doorward/testing");

const verifier: doorward.Verifier = doorward.createVerifier({ publishableKey: "pk_test_x", authorizedParties: "any party" });
export const middleware = next.instead(verifier);
export const issuer: Promise<testing.TestIssuer> = testing.createTestIssuer();
