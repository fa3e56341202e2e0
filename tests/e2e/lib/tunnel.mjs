// SPDX-License-Identifier: Apache-2.0
// A proxy that tunnels, as a gateway may have one on its way to the vaults: it keeps what it was asked, and who may pass
// is the test's to say.
import http from 'node:http';
import net from 'node:net';

// mayPass: for each tunnel that is asked for, whether it is made; may be waited for. asked: { method, target, headers } of
// each request.
export async function startTunnel(mayPass = () => true) {
  const asked = [];
  const note = ({ method, url, headers }) => asked.push({ method, target: url, headers });
  const proxy = http.createServer((request, answer) => {
    note(request);
    answer.writeHead(405).end();
  });
  proxy.on('connect', async (request, client) => {
    note(request);
    client.on('error', () => client.destroy());
    if (!await mayPass()) {
      client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    const { hostname, port } = new URL(`http://${request.url}`);
    const server = net.connect(port, hostname, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      server.pipe(client).pipe(server);
    });
    server.on('error', () => client.destroy());
    client.on('error', () => server.destroy());
    client.on('close', () => server.destroy());
  });
  await new Promise((resolve) => { proxy.listen(0, '127.0.0.1', resolve); });
  return {
    uri: `http://127.0.0.1:${proxy.address().port}`, asked,
    stop: () => {
      proxy.closeAllConnections();
      proxy.close();
    },
  };
}
