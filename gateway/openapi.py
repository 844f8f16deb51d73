"""The OpenAPI document: the chat schema, the policy headers, and every guest's parameters."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.calibration.feedback import Told
from gateway.openai import ChatRequest
from gateway.policy import Rules
from gateway.types import Json
from gateway.wishes import HEADERS, Wishes, header_title

REF = "#/components/schemas/{model}"


def describe(app: FastAPI, rules: Rules) -> None:
    """Make `app` tell its OpenAPI document with what its routes, which read raw bodies, cannot."""

    def document() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, rules)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI, rules: Rules) -> Json:
    document: Json = get_openapi(title=app.title, version="0.1.0", routes=app.routes)
    chat = ChatRequest.model_json_schema(ref_template=REF)
    schemas: Json = {**chat.pop("$defs", {}), "ChatRequest": chat}
    feedback = Told.model_json_schema(ref_template=REF)
    schemas |= {**feedback.pop("$defs", {}), "Feedback": feedback}
    for registry in (rules.strategies, rules.verifiers):
        for spec in registry.specs():
            schema = spec.params.model_json_schema(ref_template=REF)
            schemas.update(schema.pop("$defs", {}))
            schema["description"] = spec.doc
            schemas[f"{spec.kind}.{spec.name}"] = schema
    document.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
    document["paths"].update(_paths())
    return document


def _paths() -> Json:
    """The API's own routes, which are plain ones and so unknown to FastAPI."""
    ref = {"$ref": REF.format(model="ChatRequest")}
    answers = {"200": {"description": "As OpenAI has it."}}
    chat: Json = {
        "summary": "Answer a conversation under a policy",
        "requestBody": {"required": True, "content": {"application/json": {"schema": ref}}},
        "parameters": [_header(header, name) for header, name in HEADERS.items()],
        "responses": answers,
    }
    relayed: Json = {"summary": "Passed through to a backend", "responses": answers}
    return {
        "/v1/chat/completions": {"post": chat},
        "/v1/its/feedback": _feedback(),
        "/v1/completions": {"post": relayed},
        "/v1/embeddings": {"post": relayed},
        "/v1/models": {
            "get": {"summary": "Models, and each with every preset", "responses": answers}
        },
    }


def _feedback() -> Json:
    ref = {"$ref": REF.format(model="Feedback")}
    told: Json = {
        "summary": "Say whether an answer was right",
        "requestBody": {"required": True, "content": {"application/json": {"schema": ref}}},
        "responses": {"200": {"description": "How many labels were new."}},
    }
    lines = {"200": {"description": "Counts of what this client told, one JSON object a line."}}
    return {"post": told, "get": {"summary": "All labels that were told", "responses": lines}}


def _header(header: str, name: str) -> Json:
    field: Any = Wishes.model_fields[name]
    return {
        "name": header_title(header),
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": field.description,
    }
