//! The table of a third party's calls: every event in every phase, what it leads to, and who hears whom there.
//!
//! It is the specification that the stages in this folder are held to: `tests/rooms/third_party.rs` puts a call into each
//! phase, lets each event happen, and compares. What stays true in all of it: whoever remains keeps sound both ways with
//! whoever else remains, and nobody is left with silence.
//!
//! Two things follow one rule everywhere and have no row. A re-INVITE that moves a phone's sound to another address or codec
//! changes nothing here: `node` does it. And the caller's or the agent's own phone may hold us: those whom it leaves alone
//! have music, the other two go on.
//!
//! Why a third party's hold brings our music to who is left alone, and not what its phone may send: a phone that holds
//! may send music, silence, or nothing at all (`inactive`), and which it is cannot be known before it is heard. Ours is
//! never dead silence. In a conference its music would be talked over by nobody and stop the other two from talking.
#![expect(clippy::match_same_arms, reason = "each row stands for itself")]

/// Who is together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Circle {
    /// Agent and third party; the caller has music.
    Private,
    /// All three.
    Conference,
    /// All three; the caller only listens.
    ListenOnly,
    /// Caller and third party; the agent left.
    Alone,
    /// Caller and agent, whose phone asked that the third party take its place.
    Transferring,
    /// The same, and the agent's phone holds us, as most do.
    TransferringHeld,
    /// Agent and third party; the caller hung up, and the settings let them finish.
    Clearing,
}

/// What the third party's phone does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// It rings.
    Rings,
    /// It rings, and sends sound of its own: a tone, an announcement, a menu.
    RingsAloud,
    /// It is there.
    Here,
    /// It put us on hold.
    Away,
    /// It is there, and asked for a successor (REFER), who rings.
    Moving,
    /// The same, and it put us on hold, as most do.
    MovingAway,
    /// It hung up when it had asked for a successor, who rings.
    Moved,
    /// The same, and the successor sends sound of its own.
    MovedAloud,
}

/// A call with a third party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Phase(pub Circle, pub Presence);

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is a sentence")]
pub enum Happens {
    PartyRingsAloud,
    PartyAnswers,
    PartyIsBusy,
    PartyHangsUp,
    PartyIsLost,
    PartyFallsSilent,
    PartyHolds,
    PartyTakesBack,
    PartyPressesKey,
    /// Another leg of its trunk takes its place (Replaces); that of a phone that rings, too.
    PartyIsReplaced,
    /// REFER to another third party, or a number outside that may be called.
    PartyAsksForParty,
    /// REFER to a queue, or a number of ours.
    PartyAsksForQueue,
    /// REFER to an agent.
    PartyAsksForAgent,
    SuccessorRingsAloud,
    SuccessorAnswers,
    SuccessorIsBusy,
    AgentHangsUp,
    AgentIsLost,
    AgentPressesKey,
    AgentPressesHold,
    AgentPressesInvite,
    AgentPressesJoin,
    AgentPressesDrop,
    AgentPressesLeave,
    AgentPressesPassOn,
    AgentPressesListenOnly,
    /// REFER to a queue.
    AgentAsksForQueue,
    /// REFER to a third party.
    AgentAsksForParty,
    /// Another agent's phone takes the place of his (Replaces).
    AgentIsReplaced,
    CallerHangsUp,
    /// The same where `clearing_max` lets agent and third party finish.
    CallerHangsUpTheyMayFinish,
    CallerIsLost,
    CallerPressesKey,
    /// REFER by the caller's phone.
    CallerAsks,
    /// Somebody rings to take the caller's place who is not proved to be the same.
    StrangerForCaller,
    RingsOut,
    LimitIsReached,
    OpsEndIt,
}

/// What it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing changes: it is refused, ignored, or passed on.
    Stays,
    /// This phase.
    Goes(Phase),
    /// Caller and agent talk, the third party is out.
    Talking,
    /// The same, and the agent's phone still holds us.
    TalkingHeld,
    /// The caller waits in a queue by his old clock.
    Waits,
    /// The caller hears last words.
    Farewell,
    /// All legs end.
    Ends,
    /// It cannot happen: there is no such leg, or no such timer runs.
    Never,
}

/// Every phase that can be.
pub const PHASES: [Phase; 33] = {
    use Circle as C;
    use Presence as P;
    [
        Phase(C::Private, P::Rings),
        Phase(C::Private, P::RingsAloud),
        Phase(C::Private, P::Here),
        Phase(C::Private, P::Away),
        Phase(C::Private, P::Moving),
        Phase(C::Private, P::MovingAway),
        Phase(C::Private, P::Moved),
        Phase(C::Private, P::MovedAloud),
        Phase(C::Conference, P::Here),
        Phase(C::Conference, P::Away),
        Phase(C::Conference, P::Moving),
        Phase(C::Conference, P::MovingAway),
        Phase(C::Conference, P::Moved),
        Phase(C::Conference, P::MovedAloud),
        Phase(C::ListenOnly, P::Here),
        Phase(C::ListenOnly, P::Away),
        Phase(C::ListenOnly, P::Moving),
        Phase(C::ListenOnly, P::MovingAway),
        Phase(C::ListenOnly, P::Moved),
        Phase(C::Alone, P::Rings),
        Phase(C::Alone, P::RingsAloud),
        Phase(C::Alone, P::Here),
        Phase(C::Alone, P::Away),
        Phase(C::Alone, P::Moving),
        Phase(C::Alone, P::MovingAway),
        Phase(C::Alone, P::Moved),
        Phase(C::Alone, P::MovedAloud),
        Phase(C::Transferring, P::Rings),
        Phase(C::Transferring, P::RingsAloud),
        Phase(C::TransferringHeld, P::Rings),
        Phase(C::TransferringHeld, P::RingsAloud),
        Phase(C::Clearing, P::Here),
        Phase(C::Clearing, P::Away),
    ]
};

/// Every event.
pub const EVENTS: [Happens; 38] = {
    use Happens as H;
    [
        H::PartyRingsAloud,
        H::PartyAnswers,
        H::PartyIsBusy,
        H::PartyHangsUp,
        H::PartyIsLost,
        H::PartyFallsSilent,
        H::PartyHolds,
        H::PartyTakesBack,
        H::PartyPressesKey,
        H::PartyIsReplaced,
        H::PartyAsksForParty,
        H::PartyAsksForQueue,
        H::PartyAsksForAgent,
        H::SuccessorRingsAloud,
        H::SuccessorAnswers,
        H::SuccessorIsBusy,
        H::AgentHangsUp,
        H::AgentIsLost,
        H::AgentPressesKey,
        H::AgentPressesHold,
        H::AgentPressesInvite,
        H::AgentPressesJoin,
        H::AgentPressesDrop,
        H::AgentPressesLeave,
        H::AgentPressesPassOn,
        H::AgentPressesListenOnly,
        H::AgentAsksForQueue,
        H::AgentAsksForParty,
        H::AgentIsReplaced,
        H::CallerHangsUp,
        H::CallerHangsUpTheyMayFinish,
        H::CallerIsLost,
        H::CallerPressesKey,
        H::CallerAsks,
        H::StrangerForCaller,
        H::RingsOut,
        H::LimitIsReached,
        H::OpsEndIt,
    ]
};

/// Who hears whom in a phase, ear by ear. C, A, P, S: caller, agent, third party, its successor. M: music; T: the ringing
/// tone.
pub const fn sound(Phase(circle, presence): Phase) -> &'static str {
    use Presence as P;
    match (circle, presence) {
        (Circle::Private, P::Rings | P::Moved) => "C:M A:T",
        (Circle::Private, P::RingsAloud) => "C:M A:P",
        (Circle::Private, P::Here | P::Moving) => "C:M A:P P:A",
        (Circle::Private, P::Away | P::MovingAway) => "C:M A:M P:A",
        (Circle::Private, P::MovedAloud) => "C:M A:S",
        (Circle::Conference, P::Here | P::Moving) => "C:AP A:CP P:CA",
        (Circle::ListenOnly, P::Here | P::Moving) => "C:AP A:P P:A",
        (Circle::Conference | Circle::ListenOnly, P::Away | P::MovingAway) => "C:A A:C P:CA",
        (Circle::Conference | Circle::ListenOnly, P::Moved | P::MovedAloud) => "C:A A:C",
        (Circle::Alone, P::Rings | P::Moved) => "C:T",
        (Circle::Alone, P::RingsAloud) => "C:P",
        (Circle::Alone, P::Here | P::Moving) => "C:P P:C",
        (Circle::Alone, P::Away | P::MovingAway) => "C:M P:C",
        (Circle::Alone, P::MovedAloud) => "C:S",
        (Circle::Transferring, _) => "C:A A:C",
        (Circle::TransferringHeld, P::RingsAloud) => "C:P A:C",
        (Circle::TransferringHeld, _) => "C:T A:C",
        (Circle::Clearing, P::Away) => "A:M P:A",
        (Circle::Clearing, _) => "A:P P:A",
        // Nobody is in a conference before he answers.
        (Circle::Conference | Circle::ListenOnly, P::Rings | P::RingsAloud) => "",
    }
}

/// What an event leads to in a phase.
pub const fn after(phase: Phase, event: Happens) -> Then {
    use Happens as H;
    let Phase(circle, presence) = phase;
    match event {
        H::PartyRingsAloud
        | H::PartyAnswers
        | H::PartyIsBusy
        | H::PartyHangsUp
        | H::PartyIsLost
        | H::PartyFallsSilent
        | H::PartyHolds
        | H::PartyTakesBack
        | H::PartyPressesKey
        | H::PartyIsReplaced => of_party(circle, presence, event),
        H::PartyAsksForParty | H::PartyAsksForQueue | H::PartyAsksForAgent => asked(circle, presence, event),
        H::SuccessorRingsAloud | H::SuccessorAnswers | H::SuccessorIsBusy => {
            of_successor(circle, presence, event)
        }
        H::AgentHangsUp
        | H::AgentIsLost
        | H::AgentPressesKey
        | H::AgentPressesHold
        | H::AgentPressesInvite
        | H::AgentPressesJoin
        | H::AgentPressesDrop
        | H::AgentPressesLeave
        | H::AgentPressesPassOn
        | H::AgentPressesListenOnly
        | H::AgentAsksForQueue
        | H::AgentAsksForParty
        | H::AgentIsReplaced => of_agent(circle, presence, event),
        H::CallerHangsUp
        | H::CallerHangsUpTheyMayFinish
        | H::CallerIsLost
        | H::CallerPressesKey
        | H::CallerAsks
        | H::StrangerForCaller => of_caller(circle, presence, event),
        H::RingsOut => match presence {
            Presence::Rings | Presence::RingsAloud => not_had(circle),
            Presence::Moving | Presence::MovingAway | Presence::Moved | Presence::MovedAloud => {
                of_successor(circle, presence, H::SuccessorIsBusy)
            }
            Presence::Here | Presence::Away => Then::Never,
        },
        H::LimitIsReached => match presence {
            Presence::Here | Presence::Away => Then::Ends,
            // The ringing ends first.
            Presence::Rings
            | Presence::RingsAloud
            | Presence::Moving
            | Presence::MovingAway
            | Presence::Moved
            | Presence::MovedAloud => Then::Never,
        },
        H::OpsEndIt => Then::Ends,
    }
}

/// The third party is out, having been there.
const fn without(circle: Circle) -> Then {
    match circle {
        Circle::Private | Circle::Conference | Circle::ListenOnly | Circle::Transferring => Then::Talking,
        Circle::TransferringHeld => Then::TalkingHeld,
        Circle::Alone => Then::Farewell,
        Circle::Clearing => Then::Ends,
    }
}

/// Who was promised cannot be had.
const fn not_had(circle: Circle) -> Then {
    match circle {
        Circle::Alone => Then::Waits,
        Circle::Private
        | Circle::Conference
        | Circle::ListenOnly
        | Circle::Transferring
        | Circle::TransferringHeld
        | Circle::Clearing => without(circle),
    }
}

const fn of_party(circle: Circle, presence: Presence, event: Happens) -> Then {
    use Happens as H;
    use Presence as P;
    match (presence, event) {
        (P::Moved | P::MovedAloud, _) => Then::Never,
        (P::Rings, H::PartyRingsAloud) => Then::Goes(Phase(circle, P::RingsAloud)),
        (P::Rings | P::RingsAloud, H::PartyAnswers | H::PartyIsReplaced) => match circle {
            // The agent's phone is hung up: it has what it asked for.
            Circle::Transferring | Circle::TransferringHeld => Then::Goes(Phase(Circle::Alone, P::Here)),
            Circle::Private | Circle::Conference | Circle::ListenOnly | Circle::Alone | Circle::Clearing => {
                Then::Goes(Phase(circle, P::Here))
            }
        },
        (P::Rings | P::RingsAloud, H::PartyIsBusy | H::PartyHangsUp | H::PartyIsLost) => not_had(circle),
        (P::Here | P::Away, H::PartyHangsUp | H::PartyIsLost | H::PartyFallsSilent) => without(circle),
        (P::Moving | P::MovingAway, H::PartyHangsUp | H::PartyIsLost | H::PartyFallsSilent) => {
            Then::Goes(Phase(circle, P::Moved))
        }
        (P::Here, H::PartyHolds) => Then::Goes(Phase(circle, P::Away)),
        (P::Moving, H::PartyHolds) => Then::Goes(Phase(circle, P::MovingAway)),
        // Whoever takes its place does not hold us.
        (P::Away, H::PartyTakesBack | H::PartyIsReplaced) => Then::Goes(Phase(circle, P::Here)),
        (P::MovingAway, H::PartyTakesBack | H::PartyIsReplaced) => Then::Goes(Phase(circle, P::Moving)),
        (P::Here | P::Away | P::Moving | P::MovingAway, H::PartyIsBusy) => Then::Never,
        (P::Rings | P::RingsAloud | P::Here | P::Away | P::Moving | P::MovingAway, _) => Then::Stays,
    }
}

/// The third party asks for a successor, or sends the caller back to us.
const fn asked(circle: Circle, presence: Presence, event: Happens) -> Then {
    use Presence as P;
    match (presence, event) {
        (P::Moved | P::MovedAloud, _) => Then::Never,
        (P::Here | P::Away, Happens::PartyAsksForQueue) if matches!(circle, Circle::Alone) => Then::Waits,
        // Nobody new comes in while the agent clears up.
        (P::Here, Happens::PartyAsksForParty) if !matches!(circle, Circle::Clearing) => {
            Then::Goes(Phase(circle, P::Moving))
        }
        (P::Away, Happens::PartyAsksForParty) if !matches!(circle, Circle::Clearing) => {
            Then::Goes(Phase(circle, P::MovingAway))
        }
        // One successor at a time, nobody before it answered, and nobody is sent to an agent's phone.
        (P::Rings | P::RingsAloud | P::Here | P::Away | P::Moving | P::MovingAway, _) => Then::Stays,
    }
}

const fn of_successor(circle: Circle, presence: Presence, event: Happens) -> Then {
    use Happens as H;
    use Presence as P;
    match (presence, event) {
        (P::Rings | P::RingsAloud | P::Here | P::Away, _) => Then::Never,
        (P::Moved, H::SuccessorRingsAloud) => Then::Goes(Phase(circle, P::MovedAloud)),
        // Whoever it follows is hung up, if it is still there.
        (_, H::SuccessorAnswers) => Then::Goes(Phase(circle, P::Here)),
        (P::Moving, H::SuccessorIsBusy) => Then::Goes(Phase(circle, P::Here)),
        (P::MovingAway, H::SuccessorIsBusy) => Then::Goes(Phase(circle, P::Away)),
        (P::Moved | P::MovedAloud, H::SuccessorIsBusy) => not_had(circle),
        (P::Moving | P::MovingAway | P::Moved | P::MovedAloud, _) => Then::Stays,
    }
}

const fn of_agent(circle: Circle, presence: Presence, event: Happens) -> Then {
    use Circle as C;
    use Happens as H;
    use Presence as P;
    let here = matches!(presence, P::Here | P::Away | P::Moving | P::MovingAway);
    let alone = Then::Goes(Phase(C::Alone, presence));
    match (circle, event) {
        (C::Alone, _) => Then::Never,
        (C::Private, H::AgentHangsUp) => {
            if here {
                alone
            } else {
                Then::Farewell
            }
        }
        (C::Private, H::AgentIsLost) => Then::Waits,
        (C::Conference | C::ListenOnly, H::AgentHangsUp | H::AgentIsLost | H::AgentPressesLeave) => alone,
        // The caller rings on.
        (C::Transferring | C::TransferringHeld, H::AgentHangsUp | H::AgentIsLost) => alone,
        (C::Private, H::AgentPressesLeave) if here => alone,
        (C::Private, H::AgentPressesJoin) if here => Then::Goes(Phase(C::Conference, presence)),
        (C::Conference | C::ListenOnly, H::AgentPressesHold) => Then::Goes(Phase(C::Private, presence)),
        (C::Conference, H::AgentPressesListenOnly) => Then::Goes(Phase(C::ListenOnly, presence)),
        (C::ListenOnly, H::AgentPressesListenOnly) => Then::Goes(Phase(C::Conference, presence)),
        (C::Private | C::Conference | C::ListenOnly | C::Transferring, H::AgentPressesDrop) => Then::Talking,
        (C::TransferringHeld, H::AgentPressesDrop) => Then::TalkingHeld,
        // His phone did not hold us yet.
        (C::TransferringHeld, H::AgentIsReplaced) => Then::Goes(Phase(C::Transferring, presence)),
        (C::Clearing, H::AgentHangsUp | H::AgentIsLost | H::AgentPressesDrop | H::AgentPressesLeave) => {
            Then::Ends
        }
        (
            C::Private | C::Conference | C::ListenOnly | C::Transferring | C::TransferringHeld | C::Clearing,
            _,
        ) => Then::Stays,
    }
}

const fn of_caller(circle: Circle, presence: Presence, event: Happens) -> Then {
    use Circle as C;
    use Happens as H;
    use Presence as P;
    match (circle, presence, event) {
        (C::Clearing, ..) => Then::Never,
        (C::Private | C::Conference | C::ListenOnly, P::Here | P::Moving, H::CallerHangsUpTheyMayFinish) => {
            Then::Goes(Phase(C::Clearing, P::Here))
        }
        (
            C::Private | C::Conference | C::ListenOnly,
            P::Away | P::MovingAway,
            H::CallerHangsUpTheyMayFinish,
        ) => Then::Goes(Phase(C::Clearing, P::Away)),
        // Whoever still rings for him is cancelled.
        (_, _, H::CallerHangsUp | H::CallerHangsUpTheyMayFinish | H::CallerIsLost) => Then::Ends,
        (
            C::Private | C::Conference | C::ListenOnly | C::Alone | C::Transferring | C::TransferringHeld,
            ..,
        ) => Then::Stays,
    }
}
