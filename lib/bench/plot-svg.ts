// Elements, text and colours of the SVG plots of `faild bench` and of the project's bench. Each plot
// is a card with a ground of its own, so it is legible on any page; its colours follow the reader's
// light or dark scheme.

export type Attributes = Record<string, string | number>;

export const escaped = (text: string): string =>
  text.replace(
    /[&<>"]/g,
    (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c,
  );

/** At most two decimals: a hundredth of a pixel. */
export const px = (value: number): string => String(Math.round(value * 100) / 100);

export function element(name: string, attributes: Attributes, content = ''): string {
  const list = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? px(value) : escaped(value)}"`)
    .join('');
  return content === '' ? `<${name}${list}/>` : `<${name}${list}>${content}</${name}>`;
}

export const text = (x: number, y: number, content: string, more: Attributes = {}): string =>
  element('text', { x, y, ...more }, escaped(content));

export const line = (x1: number, y1: number, x2: number, y2: number, kind: string): string =>
  element('line', { x1, y1, x2, y2, class: kind });

export const path = (d: string, kind: string): string => element('path', { d, class: kind });

interface Palette {
  ground: string;
  border: string;
  ink: string;
  quiet: string;
  grid: string;
  bad: string;
  series: string[];
}

// Told apart by the colour-blind too; the order is the order of use.
const kLight: Palette = {
  ground: '#ffffff',
  border: '#d0d7de',
  ink: '#1f2328',
  quiet: '#59636e',
  grid: '#e4e8ec',
  bad: '#cf222e',
  series: ['#0969da', '#bc4c00', '#1a7f5a', '#8250df', '#b8860b', '#0e7490', '#bf3989'],
};
const kDark: Palette = {
  ground: '#0d1117',
  border: '#30363d',
  ink: '#e6edf3',
  quiet: '#9198a1',
  grid: '#21262d',
  bad: '#ff7b72',
  series: ['#58a6ff', '#f0883e', '#56d4a0', '#bc8cff', '#e3b341', '#39c5cf', '#f778ba'],
};

export const kSeriesColours = kLight.series.length;

function rules({ ground, border, ink, quiet, grid, bad, series }: Palette): string {
  const each = series.map(
    (colour, i) => `.s${i}{stroke:${colour}}.f${i}{fill:${colour};stroke:none}`,
  );
  return [
    `.card{fill:${ground};stroke:${border}}`,
    `text{fill:${ink}}.quiet{fill:${quiet}}`,
    `.grid{stroke:${grid}}.axis{stroke:${quiet}}`,
    `.event{stroke:${ink}}.host{stroke:${quiet}}.bad{stroke:${bad}}`,
    ...each,
  ].join('');
}

const kShapes = [
  'text{font:12px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}',
  '.title{font-weight:600;font-size:14px}.small{font-size:11px}',
  '.curve{fill:none;stroke-width:2;stroke-linejoin:round}',
  '.tick{fill:none;stroke-width:1.3}.event{stroke-width:2}.host{stroke-width:1.4;stroke-dasharray:4 3}',
  '.strong{font-weight:600}',
].join('');

/** The whole document around its content. */
export function card(width: number, height: number, title: string, content: string[]): string {
  const style = `${kShapes}${rules(kLight)}@media (prefers-color-scheme:dark){${rules(kDark)}}`;
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img">`,
    element('title', {}, escaped(title)),
    `<style>${style}</style>`,
    element('rect', {
      x: 0.5,
      y: 0.5,
      width: width - 1,
      height: height - 1,
      rx: 8,
      class: 'card',
    }),
    ...content,
    '</svg>',
    '',
  ].join('\n');
}
