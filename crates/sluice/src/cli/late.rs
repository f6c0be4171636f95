//! Verbs below a verb, made only when that verb is asked for: there are hundreds of flags, and to make
//! all of them takes longer than many a command.

use clap::{ArgMatches, Command, Error, FromArgMatches, Subcommand};

/// The verbs `V` below a verb.
#[derive(Debug)]
pub(super) struct Late<V>(pub(super) V);

impl<V: FromArgMatches> FromArgMatches for Late<V> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        V::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<V: Subcommand> Subcommand for Late<V> {
    fn augment_subcommands(command: Command) -> Command {
        command.defer(V::augment_subcommands)
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        command.defer(V::augment_subcommands_for_update)
    }

    fn has_subcommand(name: &str) -> bool {
        V::has_subcommand(name)
    }
}
