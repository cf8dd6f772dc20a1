"""Programs that publish: scripts, threads, tasks and child processes, each as source text."""

BEGIN = """
import asyncio, atexit, concurrent.futures, multiprocessing, os, signal, sys, threading, time
import django
django.setup()
from hubbub.publish import flush, publish

GROUP = "room.general"

def say(*texts):
    for text in texts:
        publish(GROUP, str(text))
"""
# Each program prints the texts that have to arrive.
PROGRAMS = {
    "a script that ends at once": """
        say(*range(50))
        print(*range(50))
    """,
    "a script that fails": """
        print("last words")
        sys.stdout.flush()
        say("last"); say("words")
        raise SystemExit(0)
    """,
    "publications at the end of the program, before and after the publisher's own end": """
        # Registered before hubbub is: atexit goes backwards. The publisher's own was registered at import.
        atexit.register(say, "early")
        say("first")
        print("first early late")
        atexit._run_exitfuncs()
        say("late")
    """,
    "threads that end at once": """
        texts = [[f"{index}-{number}" for number in range(20)] for index in range(20)]
        threads = [threading.Thread(target=say, args=part) for part in texts]
        for thread in threads:
            thread.start()
        print(*[f"{index}-{number}" for index in range(20) for number in range(20)])
    """,
    "children of os.fork that end as the parent would, whose parent has published": """
        say("parent")
        pids = []
        for index in range(5):
            if (pid := os.fork()) == 0:
                say(f"child-{index}")
                sys.exit()
            pids.append(pid)
        for pid in pids:
            os.waitpid(pid, 0)
        say("parent-again")
        print("parent parent-again", *[f"child-{index}" for index in range(5)])
    """,
    "children of os.fork that end at once, with and without a parent that has published": """
        for round in range(2):
            for index in range(5):
                if os.fork() == 0:
                    say(f"child-{round}-{index}")
                    os._exit(0)
                os.wait()
            say(f"parent-{round}")
        print(*[f"child-{round}-{index}" for round in range(2) for index in range(5)], "parent-0", "parent-1")
    """,
    "grandchildren": """
        say("parent")
        if os.fork() == 0:
            say("child")
            if os.fork() == 0:
                say("grandchild")
                os._exit(0)
            os.wait()
            say("child-again")
            os._exit(0)
        os.wait()
        say("parent-again")
        print("parent child grandchild child-again parent-again")
    """,
    "a fork while other threads publish": """
        stop = threading.Event()
        sent = []
        def go_on(name):
            number = 0
            while not stop.is_set():
                say(f"{name}-{number}")
                sent.append(f"{name}-{number}")
                number += 1
                time.sleep(0.001)
        threads = [threading.Thread(target=go_on, args=[f"thread-{index}"]) for index in range(4)]
        for thread in threads:
            thread.start()
        for index in range(20):
            if (pid := os.fork()) == 0:
                say(f"child-{index}")
                os._exit(0)
            os.waitpid(pid, 0)
        stop.set()
        for thread in threads:
            thread.join()
        assert flush()
        print(*sent, *[f"child-{index}" for index in range(20)])
    """,
    "a program that a signal ends and that handles it": """
        def end(*_):
            say("handler")
            sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        say("before")
        print("before handler")
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    """,
    "a child that a signal ends without a word": """
        say("parent")
        if (pid := os.fork()) == 0:
            say("child")
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        os.waitpid(pid, 0)
        print("parent child")
    """,
    "coroutines": """
        async def main():
            for number in range(20):
                publish(GROUP, f"coroutine-{number}")
            await asyncio.to_thread(say, "thread")
        asyncio.run(main())
        print(*[f"coroutine-{number}" for number in range(20)], "thread")
    """,
    "flush before the worst end": """
        say(*range(100))
        assert flush() is True
        print(*range(100))
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    """,
}
# They have published nothing before they end.
SHORT_PROGRAMS = {
    "a line": """
        say("line")
        print("line")
    """,
    "an exit handler": """
        atexit.register(say, "handler")
        print("handler")
    """,
    "a thread that publishes when the main thread has ended": """
        def work():
            threading.main_thread().join()
            say("thread")
        threading.Thread(target=work).start()
        print("thread")
    """,
    "a thread with a coroutine that publishes when the main thread has ended": """
        async def main():
            say("coroutine")
        def work():
            threading.main_thread().join()
            asyncio.run(main())
        threading.Thread(target=work).start()
        print("coroutine")
    """,
    "a thread and an exit handler where no more threads start, as at the end of Python 3.12": """
        def refuse(*_):
            raise RuntimeError("can't create new thread at interpreter shutdown")
        async def main():
            say("coroutine")
        def work():
            threading.main_thread().join()
            threading._start_new_thread = refuse
            say("thread")
            asyncio.run(main())
        atexit.register(say, "handler")
        threading.Thread(target=work).start()
        print("thread coroutine handler")
    """,
    "an exit handler after a line, where no more threads start": """
        def refuse(*_):
            raise RuntimeError("can't create new thread at interpreter shutdown")
        def end():
            threading._start_new_thread = refuse
            say("handler")
        atexit.register(end)
        say("line")
        print("line handler")
    """,
}
# Files, since multiprocessing starts a program's file again.
CHILDREN = """
def in_coroutine(name):
    async def main():
        publish(GROUP, f"coroutine-{name}")
    asyncio.run(main())

def work(name):
    say(f"work-{name}")
    return name

if __name__ == "__main__":
    say("parent")
    context = multiprocessing.get_context(sys.argv[1])
    many = 2 if sys.argv[1] == "fork" else 1  # Each other child takes the start of an interpreter.
    children = [context.Process(target=say, args=[f"child-{index}"]) for index in range(many)]
    children.append(context.Process(target=in_coroutine, args=["child"]))
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * len(children)
    with context.Pool(many) as pool:  # It kills its children when it is left.
        pool.map(work, range(10))
    with concurrent.futures.ProcessPoolExecutor(many, mp_context=context) as pool:
        list(pool.map(work, range(10, 20)))
    with context.Pool(1, maxtasksperchild=1) as pool:
        pool.map(work, range(20, 22), chunksize=1)
    say("parent-again")
    print("parent parent-again coroutine-child", *[f"child-{index}" for index in range(many)])
    print(*[f"work-{index}" for index in range(22)])
"""
