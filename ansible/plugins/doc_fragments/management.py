# SPDX-License-Identifier: Apache-2.0
"""What every module that talks to the management API takes."""


class ModuleDocFragment:  # pylint: disable=too-few-public-methods
    DOCUMENTATION = r"""
options:
  endpoint:
    description: The gateway's management listener. It is on loopback, so these modules run on the gateway's host.
    type: str
    default: https://127.0.0.1:10443
  token_file:
    description:
      - File on that host with the management token. Without it the environment's C(GATEKEY_TOKEN_FILE).
      - Either this, or C(token), or C(client_cert).
    type: path
    default: /etc/gatekey/listeners/management.token
  token:
    description: The token itself, where there is no file. Without it the environment's C(GATEKEY_TOKEN).
    type: str
  client_cert:
    description:
      - PEM file on that host with a client's certificate, which is shown instead of a token. The listener's
        C(client_ca) vouches for it, and its C(callers) say what it may do.
    type: path
  client_key:
    description: PEM file with its private key, where C(client_cert) does not have that as well.
    type: path
  ca_file:
    description: PEM file that the listener's certificate is checked with. It is always checked.
    type: path
    default: /etc/gatekey/listeners/management.crt
  timeout_s:
    description: Seconds to wait for an answer.
    type: int
    default: 60
"""
