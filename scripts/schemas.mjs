// The JSON Schemas of all that faild answers with, made from the types that it is written in: one
// file each in docs/schemas. A type's comments are its descriptions.
//
// Fields may be added at any time, so the schemas allow others than they name.
import { join } from 'node:path';
import { createGenerator } from 'ts-json-schema-generator';
import { root } from './run.mjs';

/** Schema, its type, and what answers with it. */
const kAnswers = [
  ['faild.status/1', 'Status', 'GET /v1/status, faild status --json, a line of faild top --json'],
  ['faild.peers/1', 'PeersView', 'GET /v1/peers, faild peers --json'],
  ['faild.paths/1', 'PathsView', 'GET /v1/paths, faild paths --json'],
  [
    'faild.explain/1',
    'Explanation',
    'GET /v1/explain; faild explain --json has kernel and kernelWhy as well',
  ],
  ['faild.events/1', 'EventsAnswer', 'GET /v1/events/recent, faild events --json'],
  ['faild.probes/1', 'ProbesAnswer', 'GET /v1/probes/recent, faild probes --json'],
  ['faild.reload/1', 'ReloadAnswer', 'POST /v1/reload, faild reload --json'],
  ['faild.move/1', 'MoveAnswer', 'POST /v1/drain and the like, faild drain --json'],
  ['faild.host-drain/1', 'HostDrainAnswer', 'POST /v1/drain-host, faild drain --host --json'],
  ['faild.cut/1', 'CutAnswer', 'POST /v1/cut and /v1/heal'],
  ['faild.bench/1', 'BenchReport', 'faild bench PEER --json'],
  ['faild.bench-cut/1', 'CutReport', 'faild bench --cut LAN --json'],
  ['faild.check/1', 'CheckReport', 'faild check --json'],
  ['faild.doctor/1', 'Diagnosis', 'faild doctor --json'],
  ['faild.cleanup/1', 'CleanupReport', 'faild cleanup --json'],
  ['faild.completion/1', 'CompletionReport', 'faild completion SHELL --json'],
  ['faild.report/1', 'ReportContents', 'faild report --json'],
];

/** `docs/schemas/faild.status.1.json`. */
function fileOf(id) {
  return `docs/schemas/${id.replace('/', '.')}.json`;
}

/** The texts by their files. */
export function answerSchemas() {
  const generator = createGenerator({
    path: join(root, 'lib/**/*.ts'),
    tsconfig: join(root, 'tsconfig.json'),
    skipTypeCheck: true, // tsc has done it
    additionalProperties: true,
  });
  return Object.fromEntries(
    kAnswers.map(([id, type, description]) => {
      const { $schema, ...rest } = generator.createSchema(type);
      const schema = { $schema, title: id, description, ...rest };
      return [fileOf(id), `${JSON.stringify(schema, null, 2)}\n`];
    }),
  );
}
