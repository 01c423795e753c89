/** The text of proto/controller.proto, which a test keeps equal to the file: nothing is read from disk at run time. */
export const CONTROLLER_PROTO = `// Brokers and the active controller. Bodies are msgpack; their shapes are in src/controller/wire.ts.
syntax = "proto3";

package kontiki.controller.v1;

service Controller {
  // One long-lived stream from each broker to the controller it believes active.
  rpc Session(stream Call) returns (stream Call);
  // The metadata feed, from any controller.
  rpc Feed(stream Call) returns (stream Call);
}

message Call {
  uint32 id = 1; // an answer carries the id of its question; 0 where none is expected
  string kind = 2;
  bytes body = 3;
}
`;
