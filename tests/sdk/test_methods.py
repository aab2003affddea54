"""What the SDK derives from the contract: services, retries, and which connection a method travels on."""

import json

from google.protobuf.descriptor_pb2 import MethodOptions

from modelyard._connection.methods import bulk_paths, deadlines, path, retried_paths, service_config, services

METHODS = [method for service in services() for method in service.methods]


def test_every_service_of_the_contract_is_found() -> None:
    assert {"modelyard.v1.RegistryService", "modelyard.v1.ArtifactsService", "modelyard.v1.WebhooksService"} <= {
        service.full_name for service in services()
    }


def test_unary_methods_that_say_they_are_idempotent_are_retried_and_no_others() -> None:
    expected = {
        path(method)
        for method in METHODS
        if method.GetOptions().idempotency_level in {MethodOptions.IDEMPOTENT, MethodOptions.NO_SIDE_EFFECTS}
        and not method.client_streaming
        and not method.server_streaming
    }
    configured = {
        f"/{name['service']}/{name['method']}"
        for config in json.loads(service_config())["methodConfig"]
        for name in config["name"]
    }

    assert retried_paths() == configured == expected
    assert "/modelyard.v1.WebhooksService/TestWebhook" not in configured


def test_bytes_and_streams_do_not_share_the_connection_of_small_calls() -> None:
    assert bulk_paths() >= {
        "/modelyard.v1.ArtifactsService/BatchWriteBlobs",
        "/modelyard.v1.ArtifactsService/WriteBlob",
        "/modelyard.v1.ArtifactsService/ReadFile",
        "/modelyard.v1.EventsService/WatchEvents",
    }
    assert not bulk_paths() & {
        "/modelyard.v1.EventsService/ListEvents",
        "/modelyard.v1.RegistryService/ResolveVersion",
    }


def test_unary_methods_have_the_deadlines_of_the_contract_and_streams_have_none() -> None:
    assert deadlines()["/modelyard.v1.RegistryService/GetModel"] == 30
    assert deadlines()["/modelyard.v1.WebhooksService/TestWebhook"] == 20
    assert "/modelyard.v1.EventsService/WatchEvents" not in deadlines()
    assert "/modelyard.v1.ArtifactsService/ComposeBlob" not in deadlines()
