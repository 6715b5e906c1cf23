"""Every route the gateway serves, described. A test holds this list and the application's own routes together."""

from typing import Final

from services.gateway.openapi.routes_corral import CORRAL_ROUTES
from services.gateway.openapi.routes_ollama import OLLAMA_ROUTES
from services.gateway.openapi.routes_registry import REGISTRY_ROUTES
from services.gateway.openapi.routes_v1 import ANTHROPIC_ROUTES, OPENAI_ROUTES

ROUTES: Final = (*OLLAMA_ROUTES, *OPENAI_ROUTES, *ANTHROPIC_ROUTES, *CORRAL_ROUTES, *REGISTRY_ROUTES)
