// The lab's traffic: a program that runs inside a host's namespace and sends, receives, asks and
// answers as it is told over Node's own IPC channel. flows.ts starts it and speaks to it.
//
// A datagram is 16 bytes: its sequence number (u32), 4 bytes unused, and the instant of sending
// (f64, microseconds on CLOCK_MONOTONIC, which all namespaces of a machine share).
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket as TcpSocket } from 'node:net';
import { type Arrival, type Exchange, reportDialogue, reportStream } from './flow-report.js';
import { nowUs } from './shell.js';

const kDatagramBytes = 16;
const kRequestBytes = 64;

// By port: a host may take part in several flows.
const arrivals = new Map<number, Arrival[]>();
const exchanges = new Map<number, Exchange[]>();

const udp = (address: string): UdpSocket =>
  createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 4 << 20 });

const commands = {
  async receiveStream({ address, port }: { address: string; port: number }) {
    const socket = udp(address);
    const heard: Arrival[] = [];
    arrivals.set(port, heard);
    socket.on('message', (bytes) => {
      const receivedUs = nowUs();
      heard.push({ sequence: bytes.readUInt32LE(0), sentUs: bytes.readDoubleLE(8), receivedUs });
    });
    socket.bind(port, address);
    await once(socket, 'listening');
  },

  async sendStream({ from, to, port, everyMs }: StreamOrder) {
    const socket = udp(from);
    socket.bind(0, from);
    await once(socket, 'listening');
    socket.on('error', () => {}); // an unreachable peer is what the receiver's count will tell
    const bytes = Buffer.alloc(kDatagramBytes);
    let sequence = 0;
    setInterval(() => {
      bytes.writeUInt32LE(sequence++, 0);
      bytes.writeDoubleLE(nowUs(), 8);
      socket.send(Uint8Array.from(bytes), port, to);
    }, everyMs);
  },

  reportStream: ({ port, fromUs, toUs }: Window) =>
    reportStream(arrivals.get(port) ?? [], fromUs, toUs),

  async serve({ address, port }: { address: string; port: number }) {
    const server = createServer((socket) => {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.pipe(socket); // every request is its own response
    });
    server.listen(port, address);
    await once(server, 'listening');
  },

  async ask({ from, to, port, everyMs }: StreamOrder) {
    const socket = connect({ host: to, port, localAddress: from, noDelay: true });
    await once(socket, 'connect');
    socket.on('error', () => {}); // a request that stays without a response says it all
    exchanges.set(port, []);
    converse(socket, everyMs, exchanges.get(port) as Exchange[]);
  },

  reportDialogue: ({ port, fromUs, toUs }: Window) =>
    reportDialogue(exchanges.get(port) ?? [], fromUs, toUs),
};

interface Window {
  port: number;
  fromUs: number;
  toUs: number;
}
interface StreamOrder {
  from: string;
  to: string;
  port: number;
  everyMs: number;
}
export type AgentCommands = typeof commands;

// One request at a time: the next one leaves `everyMs` after the response to the last.
function converse(socket: TcpSocket, everyMs: number, exchanges: Exchange[]): void {
  const request = Buffer.alloc(kRequestBytes);
  let open: Exchange;
  let missing = 0;
  const askNext = () => {
    open = { askedUs: nowUs() };
    exchanges.push(open);
    missing = kRequestBytes;
    socket.write(request);
  };
  socket.on('data', (bytes) => {
    missing -= bytes.length;
    if (missing > 0) return;
    open.answeredUs = nowUs();
    setTimeout(askNext, everyMs);
  });
  askNext();
}

interface Order {
  id: number;
  command: keyof AgentCommands;
  argument: never;
}

process.on('message', async ({ id, command, argument }: Order) => {
  try {
    process.send?.({ id, result: await commands[command](argument) });
  } catch (error) {
    process.send?.({ id, error: String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
