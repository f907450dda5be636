// Whether NetworkManager leaves an interface its addresses without carrier. Its configuration is
// read as NetworkManager.conf(5) says: of the [device] sections that match the interface the first
// one that has a value counts, one without a name last; then the list in [main].
import { matchesGlob } from '../base/glob.js';
import { sectionsOf } from './sections.js';

/** `texts`: the files in the order in which NetworkManager reads them. */
export function ignoresCarrier(texts: readonly string[], device: string): boolean {
  const sections = texts.flatMap(sectionsOf);
  const named = sections.filter(({ name }) => name.startsWith('device') && name !== 'device');
  const plain = sections.filter(({ name }) => name === 'device');
  const deciding = [...named, ...plain].find(
    ({ values }) =>
      values.has('ignore-carrier') && isMatched(device, values.get('match-device') ?? '*'),
  );
  if (deciding !== undefined) {
    return /^(yes|true|on|1)$/i.test(deciding.values.get('ignore-carrier') ?? '');
  }
  const lists = sections.filter(({ name }) => name === 'main').map(({ values }) => values);
  return isMatched(device, lists.map((values) => values.get('ignore-carrier')).at(-1) ?? '');
}

/**
 * A device list as in `match-device`. What names a device otherwise than by its interface (a MAC
 * address, a driver) is taken to be another: better one warning too many.
 */
function isMatched(device: string, list: string): boolean {
  const specs = list.split(/[,;]/).map((spec) => spec.trim());
  const excepted = specs.filter((spec) => spec.startsWith('except:'));
  const wanted = specs.filter((spec) => spec !== '' && !spec.startsWith('except:'));
  if (excepted.some((spec) => names(spec.slice('except:'.length), device))) return false;
  return wanted.length === 0 ? excepted.length > 0 : wanted.some((spec) => names(spec, device));
}

function names(spec: string, device: string): boolean {
  const [, exact, pattern] = /^interface-name:(?:=(.*)|(.*))$/.exec(spec) ?? [];
  if (exact !== undefined) return exact === device;
  return spec === device || matchesGlob(device, pattern ?? (spec === '*' ? '*' : ''));
}
