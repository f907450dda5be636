// What goes wrong, said once, in a form that serves a program (`code`, `errno`) and an operator
// (one sentence that says what to do). Thrown by every layer of lib/; cli.ts turns it into one line
// on stderr and an exit status.

export interface FaildErrorDetail {
  /** The system's error number, when the system refused. */
  errno?: number;
  /** What the process should exit with; 1 unless said. 2 is bad usage, 3 is `no daemon answers`. */
  exitStatus?: number;
  cause?: unknown;
}

export class FaildError extends Error {
  override readonly name = 'FaildError';
  /** Stable, for programs: `EINVAL`, `ENOLAN`, `EALREADY`, ... */
  readonly code: string;
  readonly errno: number | undefined;
  readonly exitStatus: number;

  constructor(code: string, message: string, detail: FaildErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.errno = detail.errno;
    this.exitStatus = detail.exitStatus ?? 1;
  }
}

/** One thing that is wrong with a configuration. */
export interface Fault {
  /** `faild.yaml:3:11` for the file; null for a flag or a library's option, which names itself. */
  place: string | null;
  message: string;
}

/** All that is wrong with a configuration, at once. */
export class ConfigFaults extends FaildError {
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    super('EINVAL', faults.map(showFault).join('\n'), { exitStatus: 2 });
    this.faults = faults;
  }
}

export function showFault({ place, message }: Fault): string {
  return place === null ? message : `${place}: ${message}`;
}

/** The one line of whatever was thrown: some of Node's messages go on with details below it. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0] ?? message;
}

/** The `code` of whatever was thrown: ours, or the system's (`ENOENT`). */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
