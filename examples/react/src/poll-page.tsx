import type { Hubbub } from "hubbub-client";
import { useState } from "react";

import { useTopic } from "./use-topic.js";

export interface Poll {
  question: string;
  bars: { id: number; text: string; n: number }[];
}

export function PollPage({ hub, pk }: { hub: Hubbub; pk: number }) {
  const { state: poll, closed, send } = useTopic<Poll>(hub, `poll/${pk}`);
  const [problem, setProblem] = useState("");

  async function vote(option: number) {
    setProblem("");
    try {
      await send("vote", { option });
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  if (closed !== null) return <p role="alert">{closed.detail || closed.code}</p>;
  if (poll === undefined) return <p>Loading …</p>;
  return (
    <>
      <h1>{poll.question}</h1>
      {poll.bars.map(({ id, text, n }) => (
        <button type="button" key={id} onClick={() => vote(id)}>{`${text}: ${n}`}</button>
      ))}
      {problem !== "" && <p role="alert">{problem}</p>}
    </>
  );
}
