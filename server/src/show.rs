//! `doorward config`: the settings in force.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::config::{Config, InForce, Mistakes, Settings};

/// Print the settings in force and where each came from, secrets masked
#[derive(clap::Args, Debug, Default)]
pub struct Args {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(args: Args) -> ExitCode {
    match in_force() {
        Ok(in_force) => print(&in_force, args.json),
        Err(mistakes) => refuse(&mistakes),
    }
}

fn in_force() -> Result<InForce, Mistakes> {
    let settings = Settings::load(Path::new("."))?;
    let config = Config::read(&settings)?;
    Ok(InForce::new(&config, &settings))
}

fn print(in_force: &InForce, json: bool) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let text = if json {
        serde_json::to_string_pretty(in_force).unwrap_or_default() + "\n"
    } else {
        in_force.to_string()
    };
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Says what is wrong with the settings: exit code 2, as for a command line that is wrong.
pub(crate) fn refuse(mistakes: &Mistakes) -> ExitCode {
    let mut err = std::io::stderr().lock();
    // Nobody is left to tell when standard error is closed, too.
    let _ = writeln!(err, "{mistakes}");
    ExitCode::from(2)
}
