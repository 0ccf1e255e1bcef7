use artifact::{Context, Stage as _};
use registry::{Evaluating, EvaluationConfig, Incumbent, RegistryError};

use crate::samples;

#[test]
fn a_bundle_whose_digest_is_not_known_is_not_evaluated() {
    let quiet = |_: &str, _: u64, _: u64| {};
    // Without a run, nobody has said which artifacts go in.
    let mut context = Context::new(0, &quiet);
    let inputs = (
        samples::model_bundle(),
        samples::holdout_set(),
        Incumbent::None,
    );
    let refused = Evaluating::new(EvaluationConfig::default()).run(inputs, &mut context);
    assert!(
        matches!(refused, Err(RegistryError::UnknownBundle)),
        "{refused:?}"
    );
}
