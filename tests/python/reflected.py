"""A gRPC client that has no generated code: all it knows of the API, the server's reflection told it."""

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

# Far longer than any answer takes, on two busy cores.
PATIENCE = 120


class Client:
    """Calls any method of the server at `address`; requests and answers are dicts as in proto3's JSON form."""

    def __init__(self, address: str):
        self._channel = grpc.insecure_channel(address)
        self._known = ProtoReflectionDescriptorDatabase(self._channel)
        self._pool = DescriptorPool(self._known)

    def close(self) -> None:
        """Closes the connection; calls under way are cancelled."""
        self._channel.close()

    def services(self) -> set[str]:
        """The full names of the services that the server says it has."""
        return set(self._known.get_services())

    def methods(self, service: str) -> set[str]:
        """The names of a service's methods."""
        return {method.name for method in self._pool.FindServiceByName(service).methods}

    def call(self, method: str, request: dict | None = None, *, timeout: float = PATIENCE, metadata=None) -> dict:
        """One answer of `package.Service/Method`. Raises grpc.RpcError for any status but OK."""
        call, message = self._open(method)
        return json_format.MessageToDict(call(message(request), timeout=timeout, metadata=metadata))

    def stream(self, method: str, request: dict | None = None, *, timeout: float = PATIENCE):
        """The answers of a server-streaming `package.Service/Method`, as they come."""
        call, message = self._open(method)
        for answer in call(message(request), timeout=timeout):
            yield json_format.MessageToDict(answer)

    def pages(self, method: str, request: dict | None = None, *, timeout: float = PATIENCE):
        """Every page of a List method, following `nextPageToken` until there is none."""
        request = dict(request or {})
        while True:
            page = self.call(method, request, timeout=timeout)
            yield page
            if not page.get("nextPageToken"):
                return
            request["pageToken"] = page["nextPageToken"]

    def _open(self, method: str):
        service, _, name = method.partition("/")
        descriptor = self._pool.FindServiceByName(service).FindMethodByName(name)
        request_class = GetMessageClass(descriptor.input_type)
        open_call = self._channel.unary_stream if descriptor.server_streaming else self._channel.unary_unary
        call = open_call(
            f"/{method}",
            request_serializer=request_class.SerializeToString,
            response_deserializer=GetMessageClass(descriptor.output_type).FromString,
        )
        return call, lambda fields: json_format.ParseDict(fields or {}, request_class())
