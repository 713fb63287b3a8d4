//! THE table of commands: everything a person can ask of the console, once.
//!
//! A row is a variant, its kebab-case name (keymaps and the palette use it), a short title and what it risks, under the
//! scope where it means something. Keys are not here: they live in `keymaps/*.toml`. Look-up, which-key, palette, help,
//! hints and the manual's table of keys are all derived from this table and a keymap.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a command puts at risk. Checked in one place before a command is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Risk {
    /// Nothing: it only looks.
    Look,
    /// This machine only: a file is written, the clipboard is set.
    Local,
    /// The cluster is changed, and can be changed back.
    Changes,
    /// Something is lost or interrupted.
    Destroys,
}

macro_rules! commands {
    ($(
        $(#[$scope_doc:meta])*
        $scope:ident $section:literal {
            $( $command:ident $name:literal $title:literal $risk:ident; )+
        }
    )+) => {
        /// Where a command means something. A keymap file has one section per scope.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Scope { $( $(#[$scope_doc])* $scope, )+ }

        impl Scope {
            /// Every scope, widest first.
            pub const ALL: &'static [Scope] = &[$(Scope::$scope),+];

            /// Its section in a keymap file.
            pub fn name(self) -> &'static str {
                match self { $( Scope::$scope => $section, )+ }
            }
        }

        /// Everything that can be asked of the console.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Command { $( $( #[doc = $title] $command, )+ )+ }

        impl Command {
            /// Every command, in the table's order.
            pub const ALL: &'static [Command] = &[ $( $( Command::$command, )+ )+ ];

            /// Its kebab-case name, as keymaps write it.
            pub fn name(self) -> &'static str {
                match self { $( $( Command::$command => $name, )+ )+ }
            }

            /// What it does, in a few words.
            pub fn title(self) -> &'static str {
                match self { $( $( Command::$command => $title, )+ )+ }
            }

            /// Where it means something.
            pub fn scope(self) -> Scope {
                match self { $( $( Command::$command => Scope::$scope, )+ )+ }
            }

            /// What it puts at risk.
            pub fn risk(self) -> Risk {
                match self { $( $( Command::$command => Risk::$risk, )+ )+ }
            }
        }
    };
}

commands! {
    /// Everywhere, except while a line is typed.
    Global "global" {
        Quit "quit" "Leave howdah" Look;
        Help "help" "Show the keys that work here" Look;
        Palette "palette" "Find a command by its name" Look;
        Back "back" "Close, undo the filter, go back" Look;
        Tab1 "tab-1" "Go to the first tab" Look;
        Tab2 "tab-2" "Go to the second tab" Look;
        Tab3 "tab-3" "Go to the third tab" Look;
        Tab4 "tab-4" "Go to the fourth tab" Look;
        Tab5 "tab-5" "Go to the fifth tab" Look;
        Tab6 "tab-6" "Go to the sixth tab" Look;
        Tab7 "tab-7" "Go to the seventh tab" Look;
        Tab8 "tab-8" "Go to the eighth tab" Look;
        Tab9 "tab-9" "Go to the ninth tab" Look;
        TabNext "tab-next" "Next tab" Look;
        TabPrevious "tab-previous" "Previous tab" Look;
        ClusterNext "cluster-next" "Next cluster" Look;
        ClusterPrevious "cluster-previous" "Previous cluster" Look;
        ChooseContexts "choose-contexts" "Choose the contexts shown" Look;
        ChooseNamespaces "choose-namespaces" "Choose the namespaces shown" Look;
        ToggleAllNamespaces "toggle-all-namespaces" "All namespaces, or the chosen" Look;
        Sources "sources" "Show what howdah learns from" Look;
        Notices "notices" "Show past notices" Look;
        ToggleUtc "toggle-utc" "Times in UTC, or local" Look;
        ToggleBell "toggle-bell" "Bell when a verdict changes" Look;
        ToggleAscii "toggle-ascii" "Plain ASCII marks, or signs" Look;
        ThemeNext "theme-next" "Next theme" Look;
        ReloadSettings "reload-settings" "Read settings, theme, keys anew" Look;
        Arm "arm" "Arm this cluster, or disarm it" Look;
        Act "act" "Change this cluster…" Look;
        Runbook "runbook" "The runbook for the worst reason" Look;
        Redraw "redraw" "Draw the screen anew" Look;
        Suspend "suspend" "Back to the shell; fg returns" Look;
    }
    /// Lists and pictures one moves in.
    List "list" {
        Up "up" "Up" Look;
        Down "down" "Down" Look;
        Left "left" "Left" Look;
        Right "right" "Right" Look;
        PageUp "page-up" "A page up" Look;
        PageDown "page-down" "A page down" Look;
        First "first" "To the first" Look;
        Last "last" "To the last" Look;
        Open "open" "Open the selected" Look;
        Filter "filter" "Show only what matches" Look;
        Sort "sort" "Sort by the next column" Look;
        SortReverse "sort-reverse" "Turn the order round" Look;
        Copy "copy" "Copy the selected name or text" Local;
    }
    /// What can be opened for the selected object.
    Object "object" {
        Yaml "yaml" "Its YAML" Look;
        Describe "describe" "Its description and events" Look;
        Logs "logs" "Its logs" Look;
        PreviousLogs "previous-logs" "Logs before its last restart" Look;
        Psql "psql" "psql in it; writes when armed" Look;
    }
    /// What grows at its end: events and logs.
    Stream "stream" {
        Follow "follow" "Follow the end, or hold still" Look;
    }
    /// The list of clusters.
    Fleet "fleet" {
        ToggleReasons "toggle-reasons" "Reasons under each cluster" Look;
    }
    /// One cluster across its zones.
    Topology "topology" {
        ZoneNext "zone-next" "If the next zone were lost" Look;
        ZonePrevious "zone-previous" "If the previous zone were lost" Look;
    }
    /// Graphs of replication.
    Replication "replication" {
        Freeze "freeze" "Hold the graphs still, or live" Look;
        ScrubLeft "scrub-left" "Cursor back in time" Look;
        ScrubRight "scrub-right" "Cursor forward in time" Look;
        ZoomIn "zoom-in" "A shorter time" Look;
        ZoomOut "zoom-out" "A longer time" Look;
        Units "units" "Lag in bytes, or in time" Look;
        Stage "stage" "Write, flush or replay lag" Look;
        ExportCsv "export-csv" "Write the graphs as CSV" Local;
    }
    /// The timeline of what happened.
    Events "events" {
        EventKinds "event-kinds" "All, warnings, or transitions" Look;
    }
    /// Backups and what can be recovered from them.
    Backups "backups" {
        SpanShorter "span-shorter" "A shorter time on the line" Look;
        SpanLonger "span-longer" "A longer time on the line" Look;
        Restore "restore" "Pick a moment to restore to" Look;
        TakeBackup "take-backup" "Plan a base backup now" Look;
        EditSchedules "edit-schedules" "Backup schedules" Look;
    }
    /// The moment to restore to, on the time line.
    Picker "picker" {
        MinuteBack "minute-back" "A minute earlier" Look;
        MinuteOn "minute-on" "A minute later" Look;
        HourBack "hour-back" "An hour earlier" Look;
        HourOn "hour-on" "An hour later" Look;
        SecondBack "second-back" "A second earlier" Look;
        SecondOn "second-on" "A second later" Look;
        DayBack "day-back" "A day earlier" Look;
        DayOn "day-on" "A day later" Look;
        MarkBack "mark-back" "The base or edge before" Look;
        MarkOn "mark-on" "The next base or edge" Look;
        PickExact "pick-exact" "Type the target" Look;
        PickBase "pick-base" "The base backup alone, or not" Look;
        PickTake "pick-take" "Restore to this, as a new one" Look;
    }
    /// What can be practised, and was.
    Drills "drills" {
        DrillBack "drill-back" "Hand back at the end, or not" Look;
        DrillKeep "drill-keep" "Keep the heartbeat's table" Look;
    }
    /// Runs on this machine.
    Runs "runs" {
        Resume "resume" "Take up the selected run" Changes;
    }
    /// A plan before it begins.
    Plan "plan" {
        Begin "begin" "Do it, as it is shown" Changes;
        Again "again" "Make the plan anew" Look;
    }
    /// A run under way, or its report.
    Run "run" {
        Grant "grant" "Yes, go on" Changes;
        Retry "retry" "Do it once more" Changes;
        TakenAsDone "taken-as-done" "Take it as done: I have looked" Changes;
        Skip "skip" "Go on without it" Changes;
        Wait "wait" "Wait longer, look again" Look;
        UndoRun "undo-run" "End it and take back what can be" Changes;
        LeaveRun "leave-run" "End it and leave things so" Local;
        EndRun "end-run" "End it: undo, or leave" Look;
        Note "note" "Write a note into the journal" Local;
        SaveReport "save-report" "Write the report as Markdown" Local;
    }
    /// The list of runbooks.
    Runbooks "runbooks" {
        WalkAnew "walk-anew" "Begin a new walk of it" Local;
    }
    /// A walk of a runbook.
    Walk "walk" {
        GoOn "go-on" "Go on as the check says, or done" Local;
        SayYes "say-yes" "Yes" Local;
        SayNo "say-no" "No" Local;
        SayUnknown "say-unknown" "It can't be told" Local;
        AskAnew "ask-anew" "Ask the step's questions anew" Look;
        Offer "offer" "Look at the change it offers" Look;
        WalkNote "walk-note" "Write a note into its journal" Local;
        WalkRecord "walk-record" "Write the incident record" Local;
        EndWalk "end-walk" "End the walk here" Look;
    }
    /// The faults of a lab.
    Lab "lab" {
        FaultSwitch "fault-switch" "Start this fault, or stop it" Changes;
        FaultTarget "fault-target" "The next one it is done to" Look;
    }
    /// The list of sources.
    SourceList "sources" {
        RetrySource "retry-source" "Try the selected source now" Look;
    }
    /// YAML, descriptions, logs, help: text one reads.
    Detail "detail" {
        Search "search" "Search in the text" Look;
        SearchNext "search-next" "Next match" Look;
        SearchPrevious "search-previous" "Previous match" Look;
        Wrap "wrap" "Wrap long lines, or not" Look;
        ContainerNext "container-next" "Log of the next container" Look;
        LogLevel "log-level" "All lines, warnings, or errors" Look;
    }
    /// While a line is typed: palette, filter, search, choices. Keys that are not bound here are text.
    Prompt "prompt" {
        Accept "accept" "Take it" Look;
        Cancel "cancel" "Leave it" Look;
        ChoiceUp "choice-up" "Choice above" Look;
        ChoiceDown "choice-down" "Choice below" Look;
    }
    /// Text of several lines. Keys that are not bound here are the editor's own.
    Editor "editor" {
        KeepText "keep-text" "Keep it" Local;
        LeaveText "leave-text" "Leave it; the text stays a draft" Look;
    }
    /// The schedule editor: what is typed is an expression.
    Schedule "schedule" {
        ScheduleSuspend "schedule-suspend" "Suspended, or not" Look;
        ScheduleImmediate "schedule-immediate" "A new one takes a backup at once" Look;
        ScheduleDelete "schedule-delete" "Plan to delete the schedule" Look;
    }
    /// Choosing several of a list: contexts and namespaces.
    Choice "choice" {
        ToggleChoice "toggle-choice" "Take or leave this one" Look;
        ToggleChoices "toggle-choices" "Take all, or none" Look;
    }
}

impl Scope {
    /// Where a key is looked for when this scope has the focus: itself first, then what is wider.
    pub fn reach(self) -> &'static [Scope] {
        use Scope::*;
        match self {
            Global => &[Global],
            List => &[List, Global],
            Object => &[Object, List, Global],
            Stream => &[Stream, List, Global],
            Fleet => &[Fleet, Object, List, Global],
            Topology => &[Topology, Object, List, Global],
            Replication => &[Replication, Object, List, Global],
            Events => &[Events, Stream, Object, List, Global],
            Backups => &[Backups, Object, List, Global],
            Picker => &[Picker, Backups, List, Global],
            Drills => &[Drills, List, Global],
            Runs => &[Runs, List, Global],
            Plan => &[Plan, List, Global],
            Run => &[Run, List, Global],
            Runbooks => &[Runbooks, List, Global],
            Walk => &[Walk, List, Global],
            Lab => &[Lab, List, Global],
            SourceList => &[SourceList, List, Global],
            Detail => &[Detail, Stream, List, Global],
            Prompt => &[Prompt],
            Editor => &[Editor],
            Schedule => &[Schedule, Prompt],
            Choice => &[Choice, Prompt],
        }
    }

    /// The scope of a keymap file's section.
    pub fn named(name: &str) -> Option<Scope> {
        Scope::ALL.iter().copied().find(|s| s.name() == name)
    }
}

impl Command {
    /// The command of this kebab-case name.
    pub fn named(name: &str) -> Option<Command> {
        Command::ALL.iter().copied().find(|c| c.name() == name)
    }

    /// The tab (from 0) that `tab-1` … `tab-9` go to.
    pub fn tab(self) -> Option<usize> {
        let first = Command::Tab1 as usize;
        (self as usize).checked_sub(first).filter(|n| *n < 9)
    }

    /// `tab-1` … `tab-9` for a tab counted from 0.
    pub fn of_tab(index: usize) -> Option<Command> {
        Command::ALL.iter().copied().find(|c| c.tab() == Some(index))
    }
}

impl Serialize for Command {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let name = String::deserialize(d)?;
        Command::named(&name).ok_or_else(|| serde::de::Error::custom(format!("no such command: {name}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// `Tab1` → `tab-1`, `ToggleUtc` → `toggle-utc`.
    fn kebab(variant: &str) -> String {
        let mut out = String::new();
        for c in variant.chars() {
            if (c.is_uppercase() || c.is_ascii_digit()) && !out.is_empty() {
                out.push('-');
            }
            out.extend(c.to_lowercase());
        }
        out
    }

    #[test]
    fn names_are_unique_and_follow_the_variants() {
        let names: BTreeSet<_> = Command::ALL.iter().map(|c| c.name()).collect();
        assert_eq!(names.len(), Command::ALL.len());
        for c in Command::ALL {
            assert_eq!(c.name(), kebab(&format!("{c:?}")));
            assert_eq!(Command::named(c.name()), Some(*c));
        }
    }

    #[test]
    fn titles_are_short_and_start_large() {
        for c in Command::ALL {
            let title = c.title();
            assert!(title.chars().count() <= 32, "{title}");
            assert!(!title.ends_with('.'), "{title}");
            assert!(title.starts_with(|f: char| f.is_uppercase()) || title.starts_with("psql"), "{title}");
        }
    }

    #[test]
    fn every_scope_reaches_itself_first() {
        for s in Scope::ALL {
            assert_eq!(s.reach()[0], *s);
            assert_eq!(Scope::named(s.name()), Some(*s));
        }
    }

    #[test]
    fn tabs_count_from_one() {
        assert_eq!(Command::Tab3.tab(), Some(2));
        assert_eq!(Command::TabNext.tab(), None);
        assert_eq!(Command::Back.tab(), None);
        assert_eq!(Command::of_tab(8), Some(Command::Tab9));
        assert_eq!(Command::of_tab(9), None);
    }

    #[test]
    fn a_command_travels_by_its_name() {
        let json = serde_json::to_string(&Command::ToggleUtc).unwrap();
        assert_eq!(json, "\"toggle-utc\"");
        assert_eq!(serde_json::from_str::<Command>(&json).unwrap(), Command::ToggleUtc);
        assert!(serde_json::from_str::<Command>("\"fence\"").is_err());
    }
}
