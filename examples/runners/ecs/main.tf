terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

variable "runner_image" {
  description = "Image of the runner, as the pool's installation instructions in Pulumi's console name it."
  type        = string
}

variable "cluster_arn" {
  type = string
}

variable "subnet_ids" {
  description = "Subnets from which Pulumi Cloud can be reached."
  type        = list(string)
}

variable "execution_role_arn" {
  description = "Role that reads the secret and pulls the image."
  type        = string
}

variable "task_role_arn" {
  description = "Role of the runner itself. It needs the permissions that these instructions list."
  type        = string
}

resource "pulumicloud_agent_pool" "ecs" {
  organization = "acme"
  name         = "ecs"
}

resource "aws_secretsmanager_secret" "agent_token" {
  name_prefix = "pulumi-agent-token-"
}

resource "aws_secretsmanager_secret_version" "agent_token" {
  secret_id     = aws_secretsmanager_secret.agent_token.id
  secret_string = pulumicloud_agent_pool.ecs.token
}

resource "aws_ecs_task_definition" "runner" {
  family                   = "pulumi-runner"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 1024
  memory                   = 2048
  execution_role_arn       = var.execution_role_arn
  task_role_arn            = var.task_role_arn

  container_definitions = jsonencode([{
    name      = "runner"
    image     = var.runner_image
    essential = true
    # Every key of pulumi-workflow-agent.yaml can be a variable.
    environment = [{ name = "PULUMI_AGENT_DEPLOY_TARGET", value = "ecs" }]
    # A version of its own, so that another token makes another task definition, and the service starts new tasks.
    secrets = [{
      name      = "PULUMI_AGENT_TOKEN"
      valueFrom = "${aws_secretsmanager_secret.agent_token.arn}:::${aws_secretsmanager_secret_version.agent_token.version_id}"
    }]
  }])
}

resource "aws_ecs_service" "runner" {
  name            = "pulumi-runner"
  cluster         = var.cluster_arn
  task_definition = aws_ecs_task_definition.runner.arn
  desired_count   = 2 # One runner runs one deployment at a time.
  launch_type     = "FARGATE"

  network_configuration {
    subnets = var.subnet_ids
  }
}
