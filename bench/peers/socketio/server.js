// A chat on Socket.IO with its Redis adapter, as its documentation has it. PORT, REDIS_SOCKET.

import { createServer } from "node:http";

import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const publisher = createClient({ socket: { path: process.env.REDIS_SOCKET } });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);

const server = createServer();
const io = new Server(server, {
  adapter: createAdapter(publisher, subscriber),
  // No ping falls into a run, on any side.
  pingInterval: 3_600_000,
});

io.on("connection", (socket) => {
  socket.join("room");
  socket.on("chat message", (text) => {
    io.to("room").emit("chat message", text);
  });
});

server.listen(Number(process.env.PORT), "127.0.0.1");
