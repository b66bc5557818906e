//! `doorward-bindgen MODULE.wasm OUT_DIR`: writes the module and its glue, for `--target bundler`.

use std::error::Error;
use walrus::{FunctionBuilder, FunctionKind, Module};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, out_dir] = arguments.as_slice() else {
        return Err("usage: doorward-bindgen MODULE.wasm OUT_DIR".into());
    };
    let mut module = walrus::ModuleConfig::new().generate_producers_section(false).parse_file(module)?;
    trap_at_once(&mut module);
    Bindgen::new()
        .input_module("engine", module)
        .bundler(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .out_name("engine")
        .generate(out_dir)?;
    Ok(())
}

/// A panic ends in a trap, and its message reaches nobody: in this target there is nowhere to print it. So it traps
/// before the message is put together, and the code that would do so is left out.
fn trap_at_once(module: &mut Module) {
    const PANICS: [&str; 7] = [
        "9panicking",
        "slice_error_fail",
        "unwrap_failed",
        "expect_failed",
        "handle_alloc_error",
        "capacity_overflow",
        "rust_panic",
    ];
    let panics: Vec<_> = module
        .funcs
        .iter()
        .filter(|function| matches!(function.kind, FunctionKind::Local(_)))
        .filter(|function| {
            function.name.as_ref().is_some_and(|name| PANICS.iter().any(|panic| name.contains(panic)))
        })
        .map(|function| function.id())
        .collect();
    for id in panics {
        let (parameters, results) = module.types.params_results(module.funcs.get(id).ty());
        let (parameters, results) = (parameters.to_vec(), results.to_vec());
        let arguments = parameters.iter().map(|ty| module.locals.add(*ty)).collect();
        let mut body = FunctionBuilder::new(&mut module.types, &parameters, &results);
        body.func_body().unreachable();
        module.funcs.get_mut(id).kind = FunctionKind::Local(body.local_func(arguments));
    }
}
