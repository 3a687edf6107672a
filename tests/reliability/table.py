"""All faults, in the order in which they are met: first those that leave a deployment untouched."""

from __future__ import annotations

import faults_access
import faults_binaries
import faults_controller
import faults_leftovers
import faults_nodes
import faults_sentinels

_ALL = [
    *faults_access.FAULTS,
    *faults_nodes.FAULTS,
    *faults_sentinels.FAULTS,
    *faults_binaries.FAULTS,
    *faults_controller.FAULTS,
    *faults_leftovers.FAULTS,
]
FAULTS = [*(one for one in _ALL if one.shared), *faults_access.LAST, *(one for one in _ALL if not one.shared)]
