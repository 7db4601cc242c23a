//! Those who wait: a `Ticket` is a caller's place, a `Line` all callers of one queue who need the same.
//!
//! Invariant: a ticket's clock (`since`) is the one it came with and never changes; a ticket is in exactly one place.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Joining;
use super::ahead::Known;
use super::announce::Promise;
use super::estimate::{Entry, LineRecent};
use super::measured::Flow;
use super::order::{CLASS_LAST, Rank, Ranks, class_at, next_step};
use super::roster::ProfileId;
use crate::base::{AgentId, AssignmentId, Instant, Language, QueueId, SkillId, TicketId};
use crate::exchange::{RiseCause, Told};

/// A line's number.
pub(crate) type LineId = u32;

/// Empty lines kept for those who come next; more are forgotten.
pub(crate) const LINES_KEPT: usize = 1024;

/// What an agent must be able to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Need {
    /// All of these, ascending.
    pub(crate) skills: Vec<SkillId>,
    /// And this language.
    pub(crate) language: Language,
}

impl Need {
    /// The queue's skills, the caller's, and his language.
    pub(crate) fn new(queue: &[SkillId], caller: &[SkillId], language: Language) -> Self {
        let skills: BTreeSet<_> = queue.iter().chain(caller).cloned().collect();
        Self { skills: skills.into_iter().collect(), language }
    }
    /// Whether these suffice.
    pub(crate) fn served_by(&self, skills: &BTreeMap<SkillId, u8>, languages: &BTreeSet<Language>) -> bool {
        languages.contains(&self.language) && self.skills.iter().all(|s| skills.contains_key(s))
    }
}

/// Where a caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere yet; only within one input.
    Apart,
    /// In line for anybody who can serve him.
    InLine(LineId),
    /// Waits for the agent he knows.
    Held(LineId, AgentId),
    /// A phone rings for him.
    Ringing(AssignmentId),
}

/// One caller's place.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    joining: Joining,
    entered: Instant,
    ageing: Duration,
    place: Place,
    class: u8,
    passed: Vec<AgentId>,
    /// The agent he waited for has had his turn.
    pub(crate) free_for_all: bool,
    /// What was last told, and when.
    pub(crate) told: Option<(Told, Instant)>,
    /// The upper end that was told, as a time of day, and what it rested on.
    pub(crate) promise: Option<Promise>,
    /// What was predicted when he came, until it is known how true it was.
    pub(crate) entry: Option<Box<Entry>>,
    /// When he is due to be told again, while a phone rings for him.
    pub(crate) tell_due: Option<Instant>,
}

impl Ticket {
    /// A caller who joins now.
    pub(crate) fn new(joining: Joining, ageing: Duration, now: Instant) -> Self {
        let class = class_at(joining.priority, joining.since, ageing, now);
        Self {
            joining,
            entered: now,
            ageing,
            place: Place::Apart,
            class,
            passed: Vec::new(),
            free_for_all: false,
            told: None,
            promise: None,
            entry: None,
            tell_due: None,
        }
    }
    /// What he came with.
    pub(crate) fn joining(&self) -> &Joining {
        &self.joining
    }
    /// When he joined this queue.
    pub(crate) fn entered(&self) -> Instant {
        self.entered
    }
    /// Where he is.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }
    /// His place in the order.
    pub(crate) fn rank(&self) -> Rank {
        Rank { class: self.class, since: self.joining.since, ticket: self.joining.ticket }
    }
    /// Agents who did not take him, the last one last.
    pub(crate) fn passed(&self) -> &[AgentId] {
        &self.passed
    }
    /// One more did not take him.
    pub(crate) fn pass(&mut self, agent: &AgentId) {
        self.passed.retain(|a| a != agent);
        self.passed.push(agent.clone());
    }
    /// When his class changes next.
    pub(crate) fn next_step(&self, now: Instant) -> Option<Instant> {
        next_step(self.joining.priority, self.joining.since, self.ageing, now)
    }
    /// For how much longer newcomers of `class` would be ahead of him.
    pub(crate) fn yields_for(&self, class: u8, now: Instant) -> Duration {
        let steps = self.joining.priority.min(CLASS_LAST).saturating_sub(class);
        (self.joining.since + self.ageing.saturating_mul(u32::from(steps))).since(now)
    }
    /// How long he has waited by his clock.
    pub(crate) fn waited(&self, now: Instant) -> Duration {
        now.since(self.joining.since)
    }
    /// Nothing was told him: for futures, in which nobody is.
    pub(crate) fn forget_told(&mut self) {
        (self.told, self.promise, self.entry, self.tell_due) = (None, None, None, None);
    }
    /// Why the told wait rose last, if it did.
    pub(crate) fn rose(&self) -> Option<RiseCause> {
        match &self.told {
            Some((Told::Wait { rose, .. }, _)) => *rose,
            Some((Told::Unknown | Told::NobodyYet | Told::Next, _)) | None => None,
        }
    }
}

/// All callers of one queue who need the same.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    queue: QueueId,
    extra: Vec<SkillId>,
    need: Need,
    profiles: Vec<ProfileId>,
    waiting: Ranks,
    held: Ranks,
    entered: [u64; CLASS_LAST as usize + 1],
    flows: [Flow; CLASS_LAST as usize + 1],
    /// What happened in it lately.
    pub(crate) recent: LineRecent,
    /// What futures said of it.
    pub(crate) foreseen: Option<Known>,
}

/// What is known of a line beside who waits in it.
#[derive(Clone, Debug)]
pub(crate) struct LineLesson {
    pub(crate) queue: QueueId,
    pub(crate) extra: Vec<SkillId>,
    pub(crate) language: Language,
    entered: [u64; CLASS_LAST as usize + 1],
    flows: [Flow; CLASS_LAST as usize + 1],
    recent: LineRecent,
}

super::estimate::flat!(LineLesson { queue, extra, language, entered, flows, recent });

impl Line {
    /// What is known of it beside who waits in it.
    pub(crate) fn lesson(&self) -> LineLesson {
        LineLesson {
            queue: self.queue.clone(),
            extra: self.extra.clone(),
            language: self.need.language,
            entered: self.entered,
            flows: self.flows,
            recent: self.recent.clone(),
        }
    }
    /// The same of an earlier run.
    pub(crate) fn relearn(&mut self, now: Instant, lesson: &LineLesson) {
        (self.entered, self.flows, self.recent) = (lesson.entered, lesson.flows, lesson.recent.clone());
        self.flows.iter_mut().for_each(|flow| flow.not_after(now));
        self.recent.not_after(now);
    }
    /// Its queue.
    pub(crate) fn queue(&self) -> &QueueId {
        &self.queue
    }
    /// What its callers need.
    pub(crate) fn need(&self) -> &Need {
        &self.need
    }
    /// Who can serve it, ascending.
    pub(crate) fn profiles(&self) -> &[ProfileId] {
        &self.profiles
    }
    /// Those who wait for anybody.
    pub(crate) fn waiting(&self) -> &Ranks {
        &self.waiting
    }
    /// Those who wait for an agent they know.
    pub(crate) fn held(&self) -> &Ranks {
        &self.held
    }
    /// How many of its callers are ahead of `rank`.
    pub(crate) fn ahead(&self, rank: Rank) -> usize {
        self.waiting.ahead(rank) + self.held.ahead(rank)
    }
    /// Skills that its callers want beside the queue's.
    pub(crate) fn extra(&self) -> &[SkillId] {
        &self.extra
    }
    /// How many of its callers are of a class before `class`.
    pub(crate) fn before_class(&self, class: u8) -> usize {
        self.waiting.before_class(class) + self.held.before_class(class)
    }
    /// The earliest clock of its callers.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.waiting.oldest().into_iter().chain(self.held.oldest()).min()
    }
    /// How many ever came with a class before `class`.
    pub(crate) fn came_before(&self, class: u8) -> u64 {
        self.entered.iter().take(usize::from(class)).sum()
    }
    /// How many come per second, by class.
    pub(crate) fn flows(&self) -> &[Flow] {
        &self.flows
    }
    /// A profile that can serve it appeared, or one that could is gone.
    pub(crate) fn set_able(&mut self, profile: ProfileId, able: bool) {
        match (self.profiles.binary_search(&profile), able) {
            (Err(at), true) => self.profiles.insert(at, profile),
            (Ok(at), false) => {
                self.profiles.remove(at);
            }
            (Ok(_), true) | (Err(_), false) => {}
        }
    }
    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.held.is_empty()
    }
}

type LineKey = (QueueId, Vec<SkillId>, Language);

/// All tickets and lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct WaitingRoom {
    tickets: BTreeMap<TicketId, Ticket>,
    lines: BTreeMap<LineId, Line>,
    by_key: BTreeMap<LineKey, LineId>,
    by_queue: BTreeMap<QueueId, BTreeSet<LineId>>,
    sizes: BTreeMap<QueueId, usize>,
    next: LineId,
}

impl WaitingRoom {
    /// The line for such a caller, if there is one.
    pub(crate) fn find(&self, joining: &Joining) -> Option<LineId> {
        let key = (joining.queue.clone(), joining.skills.clone(), joining.language);
        self.by_key.get(&key).copied()
    }
    /// Opens a line for such callers.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        joining: &Joining,
        (need, profiles): (Need, Vec<ProfileId>),
    ) -> LineId {
        let id = self.next;
        self.next += 1;
        let (queue, extra) = (joining.queue.clone(), joining.skills.clone());
        self.by_key.insert((queue.clone(), extra.clone(), joining.language), id);
        self.by_queue.entry(queue.clone()).or_default().insert(id);
        let line = Line {
            queue,
            extra,
            need,
            profiles,
            waiting: Ranks::default(),
            held: Ranks::default(),
            entered: [0; CLASS_LAST as usize + 1],
            flows: [Flow::new(now); CLASS_LAST as usize + 1],
            recent: LineRecent::default(),
            foreseen: None,
        };
        self.lines.insert(id, line);
        id
    }
    /// Forgets a line.
    pub(crate) fn close(&mut self, id: LineId) -> Option<Line> {
        let line = self.lines.remove(&id)?;
        self.by_key.remove(&(line.queue.clone(), line.extra.clone(), line.need.language));
        if let Some(lines) = self.by_queue.get_mut(&line.queue) {
            lines.remove(&id);
            if lines.is_empty() {
                self.by_queue.remove(&line.queue);
            }
        }
        Some(line)
    }
    /// Empty lines, when there are more lines than are worth keeping.
    pub(crate) fn superfluous(&self) -> Vec<LineId> {
        if self.lines.len() < LINES_KEPT {
            return Vec::new();
        }
        self.lines.iter().filter(|(_, line)| line.is_empty()).map(|(id, _)| *id).collect()
    }
    /// A new ticket, not yet in a place.
    pub(crate) fn add(&mut self, ticket: Ticket) {
        *self.sizes.entry(ticket.joining.queue.clone()).or_default() += 1;
        self.tickets.insert(ticket.joining.ticket, ticket);
    }
    /// Notes that a caller of this class came to the line: who is before others by right, not by clock.
    pub(crate) fn note_entry(&mut self, line: LineId, class: u8, now: Instant) {
        let Some(line) = self.lines.get_mut(&line) else { return };
        if let Some(n) = line.entered.get_mut(usize::from(class)) {
            *n += 1;
        }
        if let Some(flow) = line.flows.get_mut(usize::from(class)) {
            flow.note(now);
        }
    }
    /// Puts a ticket into a place; it must be apart.
    pub(crate) fn place(&mut self, id: TicketId, place: Place) {
        let Some(ticket) = self.tickets.get_mut(&id) else { return };
        let rank = ticket.rank();
        match &place {
            Place::InLine(line) => {
                if let Some(line) = self.lines.get_mut(line) {
                    line.waiting.insert(rank);
                }
            }
            Place::Held(line, _) => {
                if let Some(line) = self.lines.get_mut(line) {
                    line.held.insert(rank);
                }
            }
            Place::Apart | Place::Ringing(_) => {}
        }
        ticket.place = place;
    }
    /// Takes a ticket out of its place; the place it was in.
    pub(crate) fn unplace(&mut self, id: TicketId) -> Option<Place> {
        let ticket = self.tickets.get_mut(&id)?;
        let rank = ticket.rank();
        let was = std::mem::replace(&mut ticket.place, Place::Apart);
        if let Place::InLine(line) | Place::Held(line, _) = &was
            && let Some(line) = self.lines.get_mut(line)
        {
            line.waiting.remove(rank);
            line.held.remove(rank);
        }
        Some(was)
    }
    /// A ticket leaves for good; it must be apart.
    pub(crate) fn remove(&mut self, id: TicketId) -> Option<Ticket> {
        let ticket = self.tickets.remove(&id)?;
        if let Some(size) = self.sizes.get_mut(&ticket.joining.queue) {
            *size = size.saturating_sub(1);
            if *size == 0 {
                self.sizes.remove(&ticket.joining.queue);
            }
        }
        Some(ticket)
    }
    /// Brings a ticket's class up to date under its queue's rule; it must be apart.
    pub(crate) fn refresh_class(&mut self, id: TicketId, ageing: Duration, now: Instant) {
        if let Some(ticket) = self.tickets.get_mut(&id) {
            ticket.ageing = ageing;
            ticket.class = class_at(ticket.joining.priority, ticket.joining.since, ageing, now);
        }
    }
    /// Brings a ticket's class up to date; it must be apart.
    pub(crate) fn age(&mut self, id: TicketId, now: Instant) {
        if let Some(ageing) = self.tickets.get(&id).map(|t| t.ageing) {
            self.refresh_class(id, ageing, now);
        }
    }
    /// One ticket.
    pub(crate) fn ticket(&self, id: TicketId) -> Option<&Ticket> {
        self.tickets.get(&id)
    }
    /// One ticket, to note something on it.
    pub(crate) fn ticket_mut(&mut self, id: TicketId) -> Option<&mut Ticket> {
        self.tickets.get_mut(&id)
    }
    /// All tickets, by number.
    pub(crate) fn tickets(&self) -> impl Iterator<Item = (TicketId, &Ticket)> {
        self.tickets.iter().map(|(id, ticket)| (*id, ticket))
    }
    /// One line.
    pub(crate) fn line(&self, id: LineId) -> Option<&Line> {
        self.lines.get(&id)
    }
    /// One line, to change who can serve it.
    pub(crate) fn line_mut(&mut self, id: LineId) -> Option<&mut Line> {
        self.lines.get_mut(&id)
    }
    /// All lines.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (LineId, &Line)> {
        self.lines.iter().map(|(id, line)| (*id, line))
    }
    /// The lines of a queue.
    pub(crate) fn lines_of(&self, queue: &QueueId) -> impl Iterator<Item = (LineId, &Line)> {
        let ids = self.by_queue.get(queue).into_iter().flatten();
        ids.filter_map(|id| self.lines.get(id).map(|line| (*id, line)))
    }
    /// Callers of a queue not yet answered, those for whom a phone rings included.
    pub(crate) fn size(&self, queue: &QueueId) -> usize {
        self.sizes.get(queue).copied().unwrap_or(0)
    }
}
