"""What is written in the rooms of the demo, but for the busy one. Oldest first."""

from typing import NamedTuple

DAY = 1440


class Said(NamedTuple):
    """One message. `ago`: minutes before the demo's now."""

    ago: float
    by: str
    text: str
    edited: bool = False
    deleted_by: str = ""  # "author" or "moderator".


MOVE = "\n".join(
    f"{number}. {line}"
    for number, line in enumerate(
        (
            *(
                "Unpack the boxes with a red dot first",
                "Plug in nothing that blinks",
                "Ask Tomasz before you move a rack",
            ),
            *("The plants stand where they stand", "Chairs are for everybody", "Desks 1 to 12 face the window"),
            *("Labels go on the left side", "Cables are counted twice", "Whiteboards are wiped on Fridays"),
            *("Meeting rooms have names of rivers", "The Danube is the large one", "The Spree has no window"),
            *("Keys hang behind the door", "The alarm is on from ten", "Its code is not in this list"),
            *("Bicycles stand in the yard", "The lift needs a key on Sundays", "Coffee is on the second floor"),
            *("Tea is wherever Haruka is", "The old fridge is for art", "Post comes at eleven"),
            *("Parcels go to the cellar", "Lost things go to Ifeoma", "That is all. Thank you for reading."),
        ),
        1,
    )
)
SETTINGS = """\
This is what I have now:
```python
class Limits(Tunables, frozen=True):
    posts_per_second: Annotated[float, bounds(0.1, 1000, "Posts of a user.")] = 2.0
    posts_burst: Annotated[int, bounds(1, 10_000, "Posts of a user at once.")] = 10


def allowed(quota: Quota, now: float) -> bool:
    quota.debt = max(0.0, quota.debt - (now - quota.at) * quota.rate)
    return quota.debt < quota.burst
```
and it holds: `allowed` is called **once** for each post, *never* for each socket."""
QUERY = """\
```sql
EXPLAIN ANALYZE
SELECT room.slug, count(*) AS unread
FROM chat_room AS room
JOIN chat_message AS message ON message.room_id = room.id
LEFT JOIN chat_personalstate AS mine ON mine.room_id = room.id AND mine.user_id = 42
WHERE message.seq > coalesce(mine.read_seq, 0)
GROUP BY room.slug
ORDER BY unread DESC
LIMIT 50;
-- Limit  (cost=812.40..812.52 rows=50) (actual time=3.114..3.120 rows=18 loops=1)
--   ->  Sort  (actual time=3.112..3.115 rows=18 loops=1)
--         Sort Key: (count(*)) DESC
--         ->  HashAggregate  (actual time=3.051..3.062 rows=18 loops=1)
--               ->  Hash Join  (actual time=0.180..2.410 rows=3104 loops=1)
--                     Hash Cond: (message.room_id = room.id)
--                     Join Filter: (message.seq > COALESCE(mine.read_seq, 0))
--                     ->  Seq Scan on chat_message message  (rows=3391)
--                     ->  Hash  (rows=18)
-- Planning Time: 0.412 ms
-- Execution Time: 3.197 ms
```"""
CSS = """\
```css
.message:focus-visible {
  outline: 2px solid var(--focus);
  outline-offset: -2px;
}
@media (forced-colors: active) {
  .message:focus-visible { outline-color: Highlight; }
}
```"""
ADDRESS = (
    "https://git.example.org/infra/deploy/-/blob/main/environments/production/europe-west/clusters/atlas/"
    "values.yaml?ref=9f2c71d3b0a4&highlight=replicas%2Cresources%2Cautoscaling#L118-L164"
)
LETTER = (
    "I read all answers of the survey this weekend, 214 of them, and here is the long version; the short one is in the "
    "notes of Thursday. Most people like the rooms. They do not like to search for the room that they need, and they "
    "do not like to find out an hour later that somebody had asked them something.\n\n"
    "Three wishes come up again and again: to see at a glance what is new, to answer from the phone without losing the "
    "half-written text, and to read code that looks like code. None of these is new, all of them are right, and we "
    "have put each of them off at least twice, for reasons that I could not explain to my mother.\n\n"
    "> It is fast, it never loses anything, and I still open it with a sigh.\n\n"
    "That sentence hangs above my desk now. I would like us to work on the sigh."
)

TALK: dict[str, list[Said]] = {
    "general": [
        Said(41 * DAY, "mona", "Welcome to the new chat. Rooms are open, names are real, and the old one is off on Friday."),
        Said(40.9 * DAY, "sven", "Nice. It is *quick*."),
        Said(19 * DAY, "ifeoma", "Reminder: invoices of this month by Thursday, please. **All** of them, also the small ones."),
        Said(12 * DAY, "mona", LETTER),
        Said(12 * DAY - 22, "lucia", "“I would like us to work on the sigh.” Yes. 💛"),
        Said(12 * DAY - 30, "tomasz", "Count me in. I have a list:\n\n- unread at a glance\n- drafts that stay\n- code with a label\n    - and a button that copies it\n- *no* new bar at the top"),
        Said(5 * DAY + 60, "ryan", "Who took the projector?"),
        Said(5 * DAY + 58, "ryan", "Never mind, it was me", deleted_by="author"),
        Said(3 * DAY + 90, "amara", "Welcome, Maximiliane! Ask anything here, all of us started by asking."),
        Said(3 * DAY + 84, "m.hohenstein", "Thank you! First question: where is the good coffee?"),
        Said(3 * DAY + 83, "jonas", "Second floor. Do not believe anybody else."),
        Said(3 * DAY + 80, "kofi", "I have no picture and no display name, and I am happy."),
        Said(1 * DAY + 200, "minjun", "안녕하세요! 서울에서 인사드립니다 🙌"),
        Said(1 * DAY + 190, "haruka", "こんにちは、ミンジュンさん。来週の会議で会いましょう。"),
        Said(1 * DAY + 100, "farid", "سلام به همه! نسخهٔ 2.14 عالی شده است."),
        Said(140, "the-quiet-reader-of-every-single-room-of-this-company", "👍"),
        Said(96, "yael", "בוקר טוב! מישהו יודע אם המשרד פתוח ביום שישי?"),
        Said(93, "mona", "@yael it is, until two."),
        Said(21, "olena", "Дякую за вчорашню зустріч, було дуже корисно."),
        Said(6, "noura", "Lunch at half past twelve? The Lebanese place has tables outside."),
        Said(4, "pierre", "J’arrive !"),
    ],
    "releases": [
        Said(33 * DAY, "deploy-bot", "**2.11.0** is out.\n\n- rooms by people\n- restore of a deleted message\n- 14 fixes"),
        Said(20 * DAY, "deploy-bot", "**2.12.0** is out.\n\n- typing is shown\n- read positions on all devices"),
        Said(13 * DAY, "deploy-bot", "**2.13.0** is out.\n\n1. lists of rooms are live\n2. pictures of people\n3. `manage.py release --additive`"),
        Said(13 * DAY - 30, "priya", "Smoke tests green on all three hosts ✅"),
        Said(1013, "amara", "2.14 is tagged. It goes out tomorrow at eleven."),
        Said(1009, "tomasz", "Migrations only add. I tried the way back on the copy: 40 seconds."),
        Said(68, "priya", "```diff\n- MAX_SOCKETS = 2_000\n+ MAX_SOCKETS = 5_000\n```\nlast change, reviewed by Tomasz"),
        Said(34, "mona", "Go at eleven. If anything looks odd by ten past, we go back and have lunch.", edited=True),
    ],
    "on-call": [
        Said(9 * DAY, "amara", "Two pages this week, both the disk of borealis. It has 40 GB more now."),
        Said(2 * DAY, "jonas", "One page at 03:12, the certificate of the old balancer. Renewed, and a reminder set."),
        Said(1441, "jonas", "Quiet night, no pages. Handing over to Amara on Thursday."),
        Said(44, "tomasz", "> Quiet night, no pages.\n\nYou said it. Now it will not be."),
    ],
    "frontend": [
        Said(6 * DAY, "priya", "The log keeps its place now when pictures load above it. `overflow-anchor` was half of it."),
        Said(6 * DAY - 12, "lucia", "And the other half?"),
        Said(6 * DAY - 14, "priya", "Measuring before and after, in one frame:\n```js\nconst before = row.getBoundingClientRect().top;\nrender(state);\nlog.scrollTop += row.getBoundingClientRect().top - before;\n```"),
        Said(2 * DAY + 30, "lucia", "Focus is visible in forced colours again:\n" + CSS),
        Said(2 * DAY + 25, "zoe", "Checked with Windows and with Firefox’s own colours. Good."),
        Said(300, "priya", "Some numbers from the phone:\n\n- first paint **0.6 s**, was 1.4 s\n- switch of rooms **70 ms**\n- longest task 38 ms, in `rows.js`"),
        Said(290, "haruka", "日本語の入力も試しました。変換中の Enter で送信されません 👍"),
        Said(120, "jonas", "Does this one belong to us? " + ADDRESS),
        Said(117, "lucia", "No, that is infra. But line 130 is *our* fault."),
        Said(52, "noura", "جرّبت الصفحة من اليمين إلى اليسار: القائمة صحيحة، لكن السهم في زر «رجوع» ما زال معكوسًا."),
        Said(49, "priya", "Thank you, Noura. ~~Tomorrow.~~ Fixed: `transform: scaleX(-1)` under `[dir=rtl]`.", edited=True),
    ],
    "databases": [
        Said(16 * DAY, "tomasz", "The plan for unread counts, with 3,400 messages. Good enough without an index of its own:\n" + QUERY),
        Said(16 * DAY - 9, "kenji", "3 ms で十分だと思います。"),
        Said(16 * DAY - 30, "olena", "А якщо повідомлень буде мільйон?"),
        Said(16 * DAY - 41, "tomasz", "Then it reads only `read_seq` and `last_seq`, and counts nothing. See `reading.unread_of`."),
        Said(8 * DAY, "eleni", "Καλημέρα. Η εφεδρεία της νύχτας πήρε 41 λεπτά αντί για 12."),
        Said(8 * DAY - 6, "tomasz", "It is the new index. I rebuilt it on Friday and it doubled in size."),
        Said(180, "sven", "Quota, before I touch it. " + SETTINGS),
        Said(171, "olena", "Виглядає добре. Одне питання: що буде, коли годинник стрибне назад?"),
        Said(168, "sven", "`max(0.0, …)` keeps it from growing, and `time.monotonic` does not jump."),
    ],
    "project-2": [
        Said(30 * DAY, "amara", "Kick-off on Tuesday at ten, in the Danube."),
        Said(28 * DAY, "jonas", "Notes: https://wiki.example.org/project-2/kick-off"),
        Said(4 * DAY, "ana.souza", "O fornecedor respondeu: o contrato chega na segunda-feira."),
        Said(3 * DAY, "jonas", "Sign-in works with both providers. One of them wants `https://auth.example.org/callback?state=…` to the letter."),
    ],
    "project-10": [
        Said(22 * DAY, "zoe", "First build on my phone 🎉🎉🎉"),
        Said(7 * DAY, "weilin", "测试版已经发给所有人。请把问题写在这里，谢谢！"),
        Said(7 * DAY - 40, "kenji", "通知が二回届くことがあります。"),
        Said(400, "zoe", "Second notification fixed in build 84."),
        Said(395, "weilin", "太好了 👏"),
        Said(390, "zoe", "Build 85 is for the stores. Wish us luck."),
    ],
    "kitchen": [
        Said(4 * DAY + 250, "noura", "There is cake left on the second floor"),
        Said(4 * DAY + 249, "ryan", "There *was*"),
        Said(2 * DAY, "pierre", "Buy my scooter! Cheap! https://scooters.example.com", deleted_by="moderator"),
        Said(2 * DAY - 1, "pierre", "Really cheap!", deleted_by="moderator"),
        Said(2 * DAY - 2, "pierre", "Last offer!", deleted_by="moderator"),
        Said(2 * DAY - 9, "amara", "Pierre, the board by the door is for that. Thank you."),
        Said(22, "jonas", "Coffee machine is back ☕"),
        Said(20, "lucia", "☕☕☕"),
        Said(19, "ifeoma", "Please descale it *before* it complains this time 🙏"),
        Said(12, "sven", "🫡"),
        Said(11, "sven", "Done. It thanks you."),
    ],
    "arabic": [
        Said(11 * DAY, "noura", "أهلًا بالجميع في غرفتنا الجديدة 🌙"),
        Said(11 * DAY - 15, "farid", "ممنون نورا! سلام به همه."),
        Said(80, "noura", "صباح الخير، هل يمكن لأحد مراجعة إعدادات الخادم قبل الساعة 11:00؟"),
        Said(77, "farid", "تمت المراجعة. الملف `settings.py` سليم، والرابط هنا: https://git.example.org/infra/compare/7f3c"),
        Said(75, "noura", "شكرًا! ثلاث نقاط فقط:\n\n1. رفع الحد إلى **5000**\n2. حذف السطر القديم\n3. إعادة التشغيل بعد الظهر"),
    ],
    "tokyo": [
        Said(9 * DAY, "haruka", "おはようございます。今週の予定です：\n\n- 月曜：リリース確認\n- 水曜：お客様訪問\n- 金曜：歓迎会 🎉"),
        Said(9 * DAY - 20, "kenji", "金曜は少し遅れます。19時半ごろ着きます。"),
        Said(320, "haruka", "2.14 のリリースノートを翻訳しました。確認お願いします。"),
        Said(310, "kenji", "「既読位置」の説明が分かりやすいです。問題ありません。"),
    ],
    "audit": [
        Said(15 * DAY, "zoe", "**Finding 1**: after a switch of rooms the focus is on the body. Expected: on the heading."),
        Said(14 * DAY, "priya", "> **Finding 1**: after a switch of rooms the focus is on the body.\n\nClosed by `4be1f70`. Tried in Firefox with Orca, in Chromium with NVDA."),
        Said(10 * DAY, "zoe", "**Finding 2**: the number of unread messages is read as “342 342 unread”."),
        Said(9 * DAY, "lucia", "Closed by `90aa3d2`: the number that is shown is hidden from readers."),
        Said(130, "zoe", "**Finding 3**: at 400 % the composer covers the last message."),
        Said(126, "priya", "I see it too. Open."),
    ],
    "support": [
        Said(3 * DAY, "ifeoma", "A customer asks whether a banned user can still read old messages. They cannot, right?"),
        Said(3 * DAY - 4, "amara", "Right: the room is closed to them within a second, everywhere."),
        Said(2 * DAY, "ifeoma", "And: “Can we have it in green?”"),
        Said(2 * DAY - 1, "ryan", "No."),
        Said(2 * DAY - 2, "ryan", "(Yes, `tokens.css`. But still: no.)"),
    ],
    "book-club": [
        Said(25 * DAY, "lucia", "This month: *The Left Hand of Darkness*. We meet on the last Wednesday."),
        Said(24 * DAY, "weilin", "我已经开始读了。"),
        Said(6 * DAY, "eleni", "I am at the ice. No spoilers, please ❄️"),
    ],
    "salaries": [Said(18 * DAY, "mona", "The letters are signed. They go out on the 1st.")],
    "office-move": [
        Said(40 * DAY, "ifeoma", "How we move, in 24 short lines:\n\n" + MOVE),
        Said(27 * DAY, "sven", "Who has the key of the yard?"),
        Said(26 * DAY, "tomasz", "The last box is unpacked. Keys go back on Friday."),
    ],
    "website-2019": [Said(41 * DAY, "mona", "Kept for the record. The pictures are in the archive of the old host.")],
}  # fmt: skip
