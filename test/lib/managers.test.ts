// Aim: the network managers' own files are read as they read them: the first main file, drop-ins by
// name, later ones win, /etc hides /usr/lib. The drop-ins of packaging/ satisfy it.
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { readManagers } from '../../lib/doctor/managers.js';
import { ignoresCarrier } from '../../lib/doctor/network-manager.js';
import type { NativeLan } from '../../lib/engine/native.js';

const lan = (name: string, ifindex: number): NativeLan => ({
  name,
  interface: `eth${ifindex}`,
  ifindex,
  mac: '',
  addresses: [],
  carrier: true,
});
const lans = [lan('A', 1), lan('B', 2)];

const links = {
  netif: {
    state: 'OPER_STATE=routable\n',
    links: { 1: 'NETWORK_FILE=/etc/systemd/network/10-a.network\n', 2: '' },
  },
};

t.test('none runs', async (t) => {
  const root = t.testdir({ run: { systemd: { netif: { links: {} } } } });
  t.same(readManagers(lans, root), { networkd: null, networkManager: null });
});

t.test(
  'systemd-networkd as it comes: it removes routes, and addresses without carrier',
  async (t) => {
    const root = t.testdir({
      run: { systemd: links },
      etc: { systemd: { network: { '10-a.network': '[Network]\nAddress=10.1.0.1/24\n' } } },
    });
    t.same(readManagers(lans, root).networkd, {
      sparesRoutes: false,
      sparesRules: false,
      dropsAddressesOf: ['eth1'],
      remakesAddressesOf: ['eth1'],
    });
  },
);

t.test('a later drop-in wins, one of /etc hides that of /usr/lib', async (t) => {
  const routes = (value: string) => `[Network]\n ManageForeignRoutes = ${value}\n`;
  const root = t.testdir({
    run: { systemd: links },
    usr: {
      lib: {
        systemd: { 'networkd.conf.d': { '50.conf': routes('yes'), '90.conf': routes('no') } },
      },
    },
    etc: {
      systemd: {
        'networkd.conf': routes('no'),
        'networkd.conf.d': { '90.conf': '#ManageForeignRoutes=no\n' },
        network: {
          '10-a.network': '[Network]\nConfigureWithoutCarrier=yes\n',
          '10-a.network.d': { 'x.conf': '[Network]\nIgnoreCarrierLoss=no\n' },
        },
      },
    },
  });
  const { networkd } = readManagers(lans, root);
  t.equal(networkd?.sparesRoutes, false, '50.conf of /usr/lib is the last that says so');
  t.same(networkd?.dropsAddressesOf, ['eth1']);
});

// Each line was held against systemd-networkd 252 itself, by what it then did.
t.test('what a .network file says of its addresses', async (t) => {
  const judged = (text: string) => {
    const network = { '10-a.network': text };
    const root = t.testdir({ run: { systemd: links }, etc: { systemd: { network } } });
    const { networkd } = readManagers(lans, root);
    return [networkd?.dropsAddressesOf.length, networkd?.remakesAddressesOf.length];
  };
  const kept = [0, 1];
  const without = '[Network]\nConfigureWithoutCarrier=yes\n';
  t.same(judged(without), kept);
  t.same(judged(`${without}IgnoreCarrierLoss=maybe\n`), kept, 'networkd passes over it');
  t.same(judged(`${without}IgnoreCarrierLoss=500ms\n`), [1, 1], 'for half a second only');
  t.same(judged(`${without}IgnoreCarrierLoss=no\n`), [1, 1]);
  t.same(judged('[Network]\nIgnoreCarrierLoss=infinity\n'), kept);
  t.same(judged('[Link]\nConfigureWithoutCarrier=yes\n'), [1, 1], 'in the wrong section');
  t.same(judged('[Network]\nKeepConfiguration=static\n'), [1, 0]);
  t.same(judged('[Network]\nKeepConfiguration=yes\n'), [1, 0]);
  t.same(judged('[Network]\nKeepConfiguration=dhcp\n'), [1, 1]);
});

t.test('NetworkManager: what it manages; a keyfile of ours', async (t) => {
  const devices = { 1: '[device]\nmanaged=true\n', 2: '[device]\nmanaged=false\n' };
  const root = t.testdir({ run: { NetworkManager: { devices } } });
  const before = readManagers(lans, root).networkManager;
  t.same(before, { dropsAddressesOf: ['eth1'] });
});

t.test('with the drop-ins of packaging/ both are tame', async (t) => {
  const root = t.testdir({
    run: {
      systemd: links,
      NetworkManager: { devices: { 1: '[device]\nmanaged=true\n', 2: '[device]\nmanaged=true\n' } },
    },
    etc: { systemd: { network: { '10-a.network': '[Network]\nAddress=10.1.0.1/24\n' } } },
  });
  const install = (from: string, to: string) => {
    mkdirSync(join(root, to), { recursive: true });
    cpSync(join('packaging', from), join(root, to, 'faild.conf'));
  };
  install('networkd.conf.d/faild.conf', 'etc/systemd/networkd.conf.d');
  install('network.d/faild.conf', 'etc/systemd/network/10-a.network.d');
  install('NetworkManager.conf.d/faild.conf', 'etc/NetworkManager/conf.d');
  t.same(readManagers(lans, root), {
    networkd: {
      sparesRoutes: true,
      sparesRules: true,
      dropsAddressesOf: [],
      remakesAddressesOf: [],
    },
    networkManager: { dropsAddressesOf: [] },
  });
});

t.test('whose carrier NetworkManager ignores', async (t) => {
  const ignored = (text: string, device = 'eth1') => ignoresCarrier([text], device);
  const ours = '[device-faild]\nmatch-device=interface-name:eth1,interface-name:eth2\n';
  t.equal(ignored(`${ours}ignore-carrier=yes\n`), true);
  t.equal(ignored(`${ours}ignore-carrier=yes\n`, 'ens1f0'), false, 'installed as it comes');
  t.equal(ignored(`${ours}ignore-carrier=no\n[main]\nignore-carrier=*\n`), false);
  t.equal(ignored('[main]\nignore-carrier=eth0,eth1\n'), true);
  t.equal(ignored('[main]\n#ignore-carrier=*\n'), false);
  t.equal(ignored('[device]\nignore-carrier=1\n'), true);
  t.equal(ignored('[device]\nignore-carrier=0\n[device-a]\nignore-carrier=1\n'), true);
  t.equal(ignored('[device-a]\nmatch-device=interface-name:eth*\nignore-carrier=yes\n'), true);
  t.equal(ignored('[device-a]\nmatch-device=interface-name:=eth*\nignore-carrier=1\n'), false);
  t.equal(
    ignored('[device-a]\nmatch-device=*,except:interface-name:eth1\nignore-carrier=1'),
    false,
  );
  t.equal(ignored('[device-a]\nmatch-device=except:interface-name:eth0\nignore-carrier=1'), true);
  t.equal(ignored('[device-a]\nmatch-device=driver:virtio_net\nignore-carrier=1\n'), false);
});
