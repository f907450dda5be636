// Aim: files and functions stay small, lines fit the page, every source says what it is, and
// nothing of the machine on which it was written is in it.
import { basename, dirname, join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { cppCode, lines, read, tracked } from './source.js';

const most = { fileLines: 500, functionLines: 70, columns: 100 };
const cpp = tracked(/\.(cc|h|c)$/);
const typeScript = tracked(/\.ts$/);
const sources = [...cpp, ...typeScript, ...tracked(/\.mjs$/)];

/** A function by its place, with its length in lines. */
interface Sized {
  line: number;
  length: number;
}

/** Does this text before a `{` open a namespace or a type? What else it opens there is a body. */
function opensScope(head: string): boolean {
  const bare = head.replace(/\balignas\([^)]*\)/g, '');
  return /\b(namespace|class|struct|union|enum|extern)\b/.test(bare) && !bare.includes('(');
}

/** Bodies that stand directly in a namespace or a type: functions, and tables beside them. */
function cppFunctions(text: string): Sized[] {
  const code = cppCode(text).replace(/^#.*(\\\n.*)*/gm, (macro) => macro.replace(/[^\n]/g, ' '));
  const found: Sized[] = [];
  const open: { scope: boolean; line: number }[] = [];
  let line = 1;
  let head = '';
  for (const char of code) {
    if (char === '\n') line++;
    if (char === '{') open.push({ scope: opensScope(head), line });
    if (char === '}') {
      const block = open.pop();
      if (block && !block.scope && open.every(({ scope }) => scope)) {
        found.push({ line: block.line, length: line - block.line + 1 });
      }
    }
    head = '{};'.includes(char) ? '' : head + char;
  }
  return found;
}

/** Such a function is as long as its class, whose methods are measured one by one. */
function returnsClass(node: ts.Node): boolean {
  const body = ts.isFunctionDeclaration(node) ? node.body : undefined;
  return (
    body?.statements.some(
      (statement) =>
        ts.isReturnStatement(statement) &&
        statement.expression !== undefined &&
        ts.isClassExpression(statement.expression),
    ) ?? false
  );
}

function tsFunctions(path: string): Sized[] {
  const file = ts.createSourceFile(path, read(path), ts.ScriptTarget.ES2023, true);
  const found: Sized[] = [];
  const lineOf = (position: number) => file.getLineAndCharacterOfPosition(position).line + 1;
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && !returnsClass(node)) {
      const line = lineOf(node.getStart());
      found.push({ line, length: lineOf(node.getEnd()) - line + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

t.test('the counter of C++ functions counts', async (t) => {
  const text = [
    'namespace a {  // {',
    'struct alignas(8) B {',
    '  B() : x_{1} {',
    `    if (c == '{') s = "}{";`,
    '  }',
    "  int x_ = 1'000'000;",
    '};',
    'template <class T> int f(T t) {',
    '  return t; }',
    '}',
  ];
  t.same(cppFunctions(text.join('\n')), [
    { line: 3, length: 1 },
    { line: 3, length: 3 },
    { line: 8, length: 2 },
  ]);
});

t.test('files and functions stay small', async (t) => {
  for (const path of sources) {
    t.ok(lines(path).length <= most.fileLines, `${path}: ${lines(path).length} lines`);
    const functions = cpp.includes(path) ? cppFunctions(read(path)) : tsFunctions(path);
    const long = functions.filter(({ length }) => length > most.functionLines);
    t.same(long, [], `${path}: functions of more than ${most.functionLines} lines`);
  }
});

// A text that is printed may stay whole: biome and clang-format do not break it either.
t.test('lines fit the page', async (t) => {
  for (const path of sources) {
    const long = lines(path).flatMap((line, index) =>
      [...line].length > most.columns && !/['`"]/.test(line) ? [index + 1] : [],
    );
    t.same(long, [], `${path}: lines of more than ${most.columns} columns`);
  }
});

t.test('every source opens with what it is', async (t) => {
  for (const path of sources) {
    // A .cc is told by its header, where it has one of its own.
    const header = join(dirname(path), basename(path).replace(/\.cc$/, '.h'));
    const told = path.endsWith('.cc') && cpp.includes(header);
    t.ok(told || /^(#!.*\n)?(\/\/|\/\*)/.test(read(path)), path);
  }
});

t.test('nothing of one machine is in the tree', async (t) => {
  const machine = /\/work\/|\/home\/\w|\/root\/|https?:\/\/(registry|npm|pypi|artifactory|proxy)\b/;
  const text = tracked(/\.(cc|h|c|ts|mjs|json|md|txt|gyp|npmrc|sh|yml)$|^\.ci\/|CMakeLists/);
  for (const path of text) t.notMatch(read(path), machine, path);
});
