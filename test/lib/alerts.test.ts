// Aim: what packaging/ asks Prometheus for is what faild exports, by name and by label; the alert
// rules fire when they should, in promtool's own judgment where that is installed.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { parse } from 'yaml';
import { eventKinds } from '../../lib/config/event-kinds.js';
import { Metrics } from '../../lib/metrics/metrics.js';

import { unlessInstalled } from '../judges.js';
import { measured, sketch } from './statuses.js';

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; description: string };
}
interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { refId: string; expr: string }[];
}
interface Dashboard {
  uid: string;
  panels: Panel[];
  templating: { list: { name: string; query: unknown }[] };
  annotations: { list: { expr: string }[] };
}
interface Case {
  alert_rule_test: { alertname: string; exp_alerts: object[] }[];
}

const read = (name: string) => readFileSync(`packaging/${name}`, 'utf8');
const { groups } = parse(read('prometheus/faild.rules.yaml')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(read('grafana/faild.json')) as Dashboard;
const panelsOf = dashboard.panels.filter(({ type }) => type !== 'row');
const asked = [
  ...rules.map(({ alert, expr }) => ({ where: alert, expr })),
  ...panelsOf.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ where: title, expr })),
  ),
  ...dashboard.annotations.list.map(({ expr }) => ({ where: 'annotation', expr })),
];

/** Every series of a host on which everything has happened once: name to its labels. */
async function exported(): Promise<Map<string, Set<string>>> {
  const metrics = new Metrics({ perPeer: true });
  const lan = (name: string) => ({ index: 0, name, interface: 'eth0' });
  metrics.note({
    kind: 'lan-failover',
    at: '',
    monotonicUs: 0,
    lan: lan('A'),
    via: lan('B'),
    subnet: null,
    paths: 1,
    detectUs: 1,
    applyUs: 1,
    reason: 'silent',
    lastHeardUs: 1,
    missed: 3,
    intervalUs: 1,
    loss: 0,
    roundTripUs: null,
  });
  const status = sketch({ web1: { A: { state: 'down', via: 'B' }, B: 'up' } });
  const text = await metrics.text(measured(status));
  const series = new Map<string, Set<string>>();
  for (const [, name = '', labels = ''] of text.matchAll(/^(faild_\w+)(?:\{(.*)\})? /gm)) {
    const known = series.get(name) ?? new Set();
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label);
    series.set(name, known);
  }
  return series;
}

t.test(
  'every metric that is asked for is exported, with the labels that are asked for',
  async (t) => {
    const series = await exported();
    const scraped = ['instance', 'job'];
    for (const { where, expr } of asked) {
      const selectors = [...expr.matchAll(/(faild_\w+)(?:\{([^}]*)\})?/g)];
      t.ok(
        selectors.length > 0 || expr.startsWith('up{'),
        `${where} asks for something of faild's`,
      );
      for (const [, name = '', matchers = ''] of selectors) {
        t.ok(series.has(name), `${where}: ${name}`);
        for (const [, label = ''] of matchers.matchAll(/(\w+)=~?"/g)) {
          t.ok(
            scraped.includes(label) || series.get(name)?.has(label),
            `${where}: ${name}{${label}}`,
          );
        }
      }
      for (const [, kind = ''] of expr.matchAll(/kind="([^"]+)"/g)) {
        t.ok((eventKinds as readonly string[]).includes(kind), `${where}: kind ${kind}`);
      }
    }
  },
);

t.test('a reason that is asked for is one that the engine gives', async (t) => {
  const words = readFileSync('native/core/names.cc', 'utf8');
  const reasons = asked.flatMap(({ expr }) => [...expr.matchAll(/reason="([^"]+)"/g)]);
  t.ok(reasons.length > 0);
  for (const [, reason = ''] of reasons) t.match(words, `"${reason}"`, reason);
});

t.test(
  'each alert says how bad it is, what is the matter and what to do, and is tested',
  async (t) => {
    const { tests } = parse(read('prometheus/faild.rules.test.yaml')) as { tests: Case[] };
    const checks = tests.flatMap((each) => each.alert_rule_test);
    for (const { alert, labels, annotations } of rules) {
      t.match(labels.severity, /^(critical|warning|info)$/, alert);
      t.ok(annotations.summary && annotations.description, alert);
      const [silent, firing] = [0, 1].map((count) =>
        checks.filter(({ alertname, exp_alerts }) => {
          return alertname === alert && Math.min(exp_alerts.length, 1) === count;
        }),
      );
      t.ok(silent?.length && firing?.length, `${alert} is tested silent and firing`);
    }
    t.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length, 'each name once');
  },
);

t.test('the panels of the dashboard have a place each', async (t) => {
  const places = dashboard.panels.map(({ gridPos }) => gridPos);
  for (const [at, { x, y, w, h }] of places.entries()) {
    t.ok(x >= 0 && x + w <= 24, 'within the page');
    const others = places.slice(at + 1);
    const crossed = others.filter((other) => {
      return x < other.x + other.w && other.x < x + w && y < other.y + other.h && other.y < y + h;
    });
    t.same(crossed, [], `panel ${at + 1} covers no other`);
  }
  const ids = dashboard.panels.map(({ id }) => id);
  t.equal(new Set(ids).size, ids.length);
  const variables = dashboard.templating.list.map(({ name }) => name);
  for (const { where, expr } of asked) {
    const used = [...expr.matchAll(/\$([a-z]\w*)/g)].map(([, name]) => name ?? '');
    t.same(
      used.filter((name) => !variables.includes(name)),
      [],
      where,
    );
  }
});

const skip = unlessInstalled('promtool');

t.test('promtool: the rules are right, and fire as their tests say', { skip }, async (t) => {
  const run = (args: string[]) => {
    const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
    t.equal(status, 0, `${stdout}${stderr}`);
  };
  run(['check', 'rules', 'packaging/prometheus/faild.rules.yaml']);
  run(['test', 'rules', 'packaging/prometheus/faild.rules.test.yaml']);
});

t.test('promtool: the queries of the dashboard are right', { skip }, async (t) => {
  const queries = asked.map(({ expr }, at) => ({
    record: `query:${at}`,
    expr: expr.replaceAll('$__rate_interval', '5m'),
  }));
  const file = t.testdir({
    'rules.yaml': JSON.stringify({ groups: [{ name: 'queries', rules: queries }] }),
  });
  const { status, stdout, stderr } = spawnSync('promtool', [
    'check',
    'rules',
    `${file}/rules.yaml`,
  ]);
  t.equal(status, 0, `${stdout}${stderr}`);
});
