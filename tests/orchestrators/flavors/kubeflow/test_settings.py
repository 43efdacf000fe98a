"""What a stack may set of Kubeflow."""

from __future__ import annotations

from runner.orchestrators.flavors.kubeflow.settings import KubeflowSettings


def test_an_address_or_a_context_is_needed(told) -> None:
    ((line, code, message, _),) = told(KubeflowSettings, "experiment: e")
    assert (line, code) == (1, "missing-key")
    assert "neither 'kubeflow_hostname' nor 'kubernetes_context'" in message
    assert told(KubeflowSettings, "kubernetes_context: c") == []
    assert told(KubeflowSettings, "kubeflow_hostname: https://k.example.com") == []


def test_a_password_belongs_to_a_user(told) -> None:
    found = told(KubeflowSettings, 'kubernetes_context: c\npassword: "${secrets.P}"')
    assert found == [(2, "missing-key", "'password' is of no use without 'username'", "add 'username'")]


def test_a_password_is_a_reference_and_is_not_repeated(told) -> None:
    ((line, code, message, help),) = told(KubeflowSettings, "kubernetes_context: c\ntoken: hunter2")
    assert (line, code) == (2, "literal-secret")
    assert "hunter2" not in message + help


def test_there_is_one_way_to_log_in(told) -> None:
    both = 'kubeflow_hostname: https://k.example.com\nusername: ada\npassword: "${secrets.P}"\ntoken: "${secrets.T}"'
    ((line, code, message, _),) = told(KubeflowSettings, both)
    assert (line, code) == (4, "two-logins") and message == "username and token are two ways to log in"


def test_a_login_that_nobody_would_use_is_refused(told) -> None:
    ((line, code, message, help),) = told(KubeflowSettings, 'kubernetes_context: c\ntoken: "${secrets.T}"')
    assert (line, code) == (2, "cannot-combine")
    assert "logs in as the kubeconfig says" in message and help == "leave 'token' out, or add kubeflow_hostname"


def test_a_certificate_is_for_an_address_that_shows_one(told) -> None:
    fields = "kubeflow_hostname: http://k.example.com\nca_certificate: certs/ca.pem"
    ((line, code, message, _),) = told(KubeflowSettings, fields)
    assert (line, code) == (2, "cannot-combine") and "which shows no certificate" in message
    assert told(KubeflowSettings, fields.replace("http:", "https:")) == []
