"""Conversations for the busy room and for the robots: patterns with gaps, filled by chance of a seed."""

import random
from collections.abc import Sequence
from typing import NamedTuple


class Line(NamedTuple):
    """One line of a conversation."""

    by: str
    text: str


Pattern = tuple[Line, ...]

# Speakers are a, b and c; `bot` is the deploy bot. The rest of a line is its text.
PATTERNS: tuple[Pattern, ...] = tuple(
    tuple(Line(*line.split(": ", 1)) for line in pattern)
    for pattern in (
        ("a: Load on {host} is up since {hour}, but the queue is empty 😕", "b: That is the report for finance, it should be over in {few} minutes.", "a: Ah. Can it run at night?", "b: It can. I put it on {day}."),
        ("a: The backup of {host} took {many} minutes, it was {few} the week before.", "a: Nothing else ran on the host at that time.", "b: It is the new index. I rebuilt it, and it doubled in size.", "c: Can it wait until after the release? I would rather not touch it today.", "b: It can."),
        ("bot: **{service} {version}** is on {host}, {few} processes, {many} s", "a: Looks good from here."),
        ("bot: **{service} {version}** is on {host}, {few} processes, {many} s", "a: p99 went from {many} ms to {few} ms 🎉", "b: What did you do?", "a: One query less for each post."),
        ("bot: Canary of **{service} {version}**: error rate 0.{few} %, limit 0.5 %", "a: Let it run until {hour}."),
        ("a: Can somebody review #{number}? It is small.", "b: Looking", "b: One question about the retry, else fine."),
        ("a: Can somebody review #{number}? It is *not* small.", "b: {many} files. I bring coffee.", "c: I take the migrations.", "b: I take the rest.", "a: Thank you both 🙏"),
        ("a: Is {service} slow for anybody else?", "b: Not here.", "c: Here too, since {hour}.", "a: Then it is the network on your side of the river.", "c: Ha. It was my VPN."),
        ("a: Disk of {host} at 8{few} %", "b: Old logs. I clean up:\n```sh\njournalctl --vacuum-time={few}d\n```", "a: 5{few} % now, thanks."),
        ("a: The certificate of `{service}.example.org` ends in {few} days", "b: It renews itself {few} days before.", "a: It does now. It did not last year.", "b: Fair. I check on {day}."),
        ("a: What is the setting for idle sockets again?", "b: `HUBBUB_PING_SECONDS`, and it is in docs/settings.md", "a: So it is."),
        ("a: I restart {host} at {hour}, one process after another. Nobody should notice.", "b: Nobody noticed.", "c: I noticed! My page said “connecting” for a third of a second.", "a: Then it works as written."),
        ("a: Who is on call on {day}?", "b: Me. But I can swap.", "a: No, all good, I only want to know whom to bring cake."),
        ("a: Redis of {host} is at {many} MB", "b: That is normal after the storm test.", "a: And it goes down again?", "b: Within the hour."),
        ("a: Strange line in the log of {host}:\n```\n{hour}:07 WARNING {service} slow reader: outbox {many} KiB, user {number}\n```", "b: A phone on a train. It comes back and resumes.", "a: 👍"),
        ("a: Numbers of the night:\n\n- sockets: **{number}**\n- posts: {many} a minute\n- refused: 0", "b: 0 is my favourite number."),
        ("a: #{number} is merged. Please rebase.", "b: Rebased.", "c: Rebased, and one test is red: `test_{service}_resumes`", "a: Mine. Fix in {few} minutes.", "a: Fixed in `{commit}`."),
        ("a: Do we still need the host in the cellar?", "b: It has the only copy of the floor plan.", "a: Then copy it.", "b: Copied. Out it goes."),
        ("a: هل النسخة الاحتياطية جاهزة؟", "b: Yes, since {hour}: {many} GB.", "a: ممتاز، شكرًا."),
        ("a: 監視画面が {hour} から止まっていませんか？", "b: Restarted the publisher. Better?", "a: 直りました。ありがとう！"),
        ("a: Migration {number} takes {many} s on the copy. Too long?", "b: Does it lock?", "a: No: `CREATE INDEX CONCURRENTLY`", "b: Then it may take an hour, for all I care."),
        ("a: The dashboard shows {host} twice", "b: Two names for one machine. Set `HUBBUB_HOST_NAME`.", "a: Done, thanks."),
        ("a: I will be offline from {hour}, dentist.", "b: Good luck 🦷"),
        ("a: Could we move the stand-up to {hour}?", "b: +1", "c: -1, I have a call with Seoul then", "a: Then it stays."),
        ("a: Found the leak. Guess.", "b: A list that only grows?", "a: A list that only grows. `{commit}`", "c: It is always a list that only grows."),
        ("a: The alert of {hour} was a false one: the check was older than the host.", "b: Removed it.", "c: Please note it in the runbook: https://wiki.example.org/runbook/{service}"),
        ("a: {host} has a new kernel and wants a reboot", "b: On {day}, after the backup.", "a: > On {day}, after the backup.\n\nNoted."),
        ("a: Who changed the limit of posts to {few}?", "b: I did, for the test. It is back at 2.", "a: My bot thanks you."),
        ("a: Question: does a ban end open sockets?", "b: Within a second, on each process.", "a: And without Redis?", "b: Within 30. There is a test for each."),
        ("a: We had {many} sign-ups yesterday", "b: People or robots?", "a: People. I looked at the names.", "b: 🎉"),
        ("a: Good morning from the train. The tunnel test is live: I write this without a network.", "b: It came, and once.", "a: As it should."),
        ("a: `make check` takes {many} seconds here. And for you?", "b: {many}, on the old laptop.", "c: I use the time to stretch."),
        ("a: Short question, long answer: why two databases?", "b: One. The other is the copy for reports, and it may lag by {few} s.", "a: That was a short answer."),
        ("a: ¿Alguien tiene la grabación de la reunión de ayer?", "b: https://video.example.org/{commit}", "a: ¡Gracias!"),
    )
)  # fmt: skip
SMALL_TALK: tuple[Pattern, ...] = tuple(
    tuple(Line(*line.split(": ", 1)) for line in pattern)
    for pattern in (
        ("a: Coffee?", "b: In {few} minutes", "c: I come too ☕"),
        ("a: It rains in the bicycle yard again", "b: Mine is under the roof 😌", "c: Mine *was*."),
        ("a: Lunch at {hour}?", "b: A bit early for me, but yes", "c: 🍜"),
        ("a: Has anybody seen my blue mug?", "b: Second floor, next to the plant.", "a: It has a plant in it now.", "b: …"),
        ("a: The lift says {many} again. We have five floors.", "b: It is tired."),
        ("a: Who wants the last {few} croissants?", "b: Me", "c: Me", "a: {few} croissants, two people. I like this problem."),
        ("a: Film tip for the weekend?", "b: Something old", "c: https://films.example.org/{commit}", "a: That is *very* old. Thank you!"),
        ("a: 誰か傘を忘れていませんか？", "b: Blue, with cats? Mine 🙈", "a: 三階に置いておきます。"),
        ("a: צהריים?", "b: {hour}, downstairs.", "a: 👍"),
    )
)  # fmt: skip
HOSTS = ("atlas", "borealis", "cygnus", "draco", "eridanus")
SERVICES = ("chat", "monitor", "accounts", "search", "billing", "gateway", "mail")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
# Answers of robots to people, with the name of the person.
ANSWERS = (
    *("Good point, {name}.", "I will look into it after lunch.", "Can you say more, {name}?", "👍", "Same here."),
    *("Hm. I thought so too, until {day}.", "Noted, thank you!", "Let us try it on {host} first.", "Ha 😄"),
    *("I agree with {name}, for once.", "Do you have a number for that?", "Yes. And it is in the docs, I think."),
)


def gaps(chance: random.Random) -> dict[str, str]:
    """Words for the gaps of one conversation."""
    return {
        "host": chance.choice(HOSTS),
        "service": chance.choice(SERVICES),
        "day": chance.choice(DAYS),
        "hour": f"{chance.randint(6, 17):02}:{chance.choice((0, 5, 10, 15, 30, 40, 45)):02}",
        "few": str(chance.randint(3, 9)),
        "many": str(chance.randint(12, 96)),
        "number": str(chance.randint(1104, 4999)),
        "version": f"2.{chance.randint(9, 14)}.{chance.randint(0, 7)}",
        "commit": f"{chance.getrandbits(28):07x}",
    }


def conversation(
    chance: random.Random, people: Sequence[str], bot: str, patterns: Sequence[Pattern] = PATTERNS
) -> list[Line]:
    """One conversation of some of the people."""
    pattern = chance.choice(patterns)
    a, b, c = chance.sample([name for name in people if name != bot], 3)
    names, words = {"a": a, "b": b, "c": c, "bot": bot}, gaps(chance)
    return [Line(names[by], text.format(**words)) for by, text in pattern]


def answer(chance: random.Random, name: str) -> str:
    """What a robot answers to a person."""
    return chance.choice(ANSWERS).format(name=name, **gaps(chance))
